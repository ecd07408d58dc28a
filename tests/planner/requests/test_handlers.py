"""Every command has one handler, or is refused before it needs one."""

from typing import get_args, get_type_hints

import pytest

from agents.planner.requests import accept_plan, batch_commands, batch_queries, capabilities, costs, upgrade_batch
from agents.planner.requests.client import HANDLERS
from agents.planner.requests.handler import Handler
from protocol.commands import NOT_BUILT_COMMANDS, Command

SUBJECTS = (accept_plan, batch_commands, batch_queries, capabilities, costs, upgrade_batch)


def test_every_command_has_a_handler_or_is_declared_as_not_built() -> None:
    assert set(HANDLERS) | set(NOT_BUILT_COMMANDS) == set(get_args(Command))
    assert set(HANDLERS).isdisjoint(NOT_BUILT_COMMANDS)


def test_no_command_has_two_handlers() -> None:
    assert sum(len(subject.HANDLERS) for subject in SUBJECTS) == len(HANDLERS)


@pytest.mark.parametrize(("kind", "handler"), HANDLERS.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_a_handler_takes_the_command_that_it_is_named_for(kind: type[Command], handler: Handler) -> None:
    taken = get_type_hints(handler)["command"]

    assert kind in (get_args(taken) or (taken,))
