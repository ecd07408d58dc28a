"""What a handler of a command is, and what it works with.

A handler is a function in the file of its subject; the file's `HANDLERS` says which commands it answers, and
`requests/client.py` puts these tables together.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.planning.recipe import Defaults
from agents.planner.requests.batch_changes import BatchChanges
from agents.planner.requests.earlier_seconds import EarlierSeconds
from agents.planner.scheduling.window import Window
from agents.planner.transitions.bounds import Bounds
from agents.shared.database.group_commit import GroupCommit
from bus.agent import Outlet
from protocol.commands import Command
from protocol.replies import Reply


@dataclass(frozen=True)
class RequestResources:
    """What the commands of clients are answered from: the ledger, the bus, and what the planner was set up with."""

    ledger: GroupCommit
    outlet: Outlet
    changes: BatchChanges
    defaults: Defaults
    window: Window
    catalogue_loader: CatalogueLoader
    image_loader: ImageLoader
    earlier_seconds: EarlierSeconds
    bounds: Bounds


Handler = Callable[[RequestResources, Any, str], Awaitable[Reply]]
"""(resources, command, client) -> reply. Raises an `AcpError` for what cannot be done. The command is of the types that
the handler's own annotation names."""

Handlers = Mapping[type[Command], Handler]
"""Command -> who answers it."""
