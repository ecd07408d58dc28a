"""The batch that a command would begin. Pure, except that a seed that is not given is drawn."""

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tally import Tally
from agents.planner.planning import time_limits
from agents.planner.planning.command_texts import bound_notes
from agents.planner.planning.recipe import Defaults, Recipe
from agents.planner.planning.variation import count_pictures
from agents.planner.requests import replies
from protocol.commands import GenerateImages
from protocol.ids import new_batch_hash
from protocol.messages import Presence

HOLD_LIFETIME_S = 3600.0
"""Life of a held plan."""


def propose_batch(
    command: GenerateImages,
    client: str,
    recipe: Recipe,
    defaults: Defaults,
    generators: int,
    now: float,
    parent: str | None = None,
) -> Batch:
    """The batch of a command, as it would stand at `now` in seconds since the epoch.

    Raises:
        BadCommand: times that cannot be kept, or more pictures than a batch may have.
    """
    time_limits.check_times(command, now)
    quantity = count_pictures(command, recipe)
    cost = replies.estimated_cost(recipe, quantity)
    dear = defaults.hold_over is not None and cost is not None and cost.amount > defaults.hold_over
    held = command.hold or dear
    seconds = replies.estimated_seconds(recipe, quantity, generators)
    notes = time_limits.deadline_warnings(command, seconds, now)
    if dear and not command.hold:
        said = "would be held" if command.dry_run is True else "held"
        notes.append(f"{said}: the estimated cost is above {defaults.hold_over:g} USD")
    return Batch(
        hash=new_batch_hash(),
        client_id=client,
        state=BatchState.HELD if held else BatchState.RUNNING,
        command=command,
        recipe=replace(
            recipe,
            # First what is new here: without it nobody knows why a batch is held.
            warnings=bound_notes([*notes, *recipe.warnings]),
            not_honoured=bound_notes(recipe.not_honoured),
        ),
        seed=command.seed if command.seed is not None else secrets.randbelow(2**32),
        quantity=quantity,
        cursor=0,
        written=0,
        tally=Tally(quantity=quantity),
        approval=secrets.token_hex(16) if held else None,
        expires_at=now + HOLD_LIFETIME_S if held else None,
        contact_sheet=None,
        created_at=now,
        priority=time_limits.class_of_service(command.priority, quantity),
        parent=parent,
        not_before=time_limits.epoch_seconds(command.not_before),
        deadline=time_limits.epoch_seconds(command.deadline),
    )


def count_generators(presences: Sequence[Presence]) -> int:
    """Generators that are alive."""
    return sum(presence.role == "generator" for presence in presences)
