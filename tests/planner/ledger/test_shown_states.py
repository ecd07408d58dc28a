"""How a batch stands in the words that clients know."""

import msgspec
import pytest

from agents.planner.ledger.shown_states import shown_state
from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tally import Tally, status_of
from agents.planner.requests.replies import batch_list_reply, result_reply
from protocol.commands import Cancel, Pause, Resume, Retry
from protocol.results import ENDED_STATES, BatchList, GenerationResult, StatusBody
from tests.planner.workbench import NAME, World, new_batch

RUNNING, PAUSED, COMPLETED = BatchState.RUNNING, BatchState.PAUSED, BatchState.COMPLETED


@pytest.mark.parametrize(
    ("state", "counts", "unstarted", "shown"),
    [
        (BatchState.HELD, {}, False, "held"),
        (BatchState.HELD, {}, True, "held"),
        (RUNNING, {}, False, "running"),
        (RUNNING, {"completed": 2, "failed": 1}, False, "running"),
        (RUNNING, {}, True, "waiting"),
        (RUNNING, {"cancelled": 2, "in_flight": 2, "stopped": True}, False, "cancelling"),
        (PAUSED, {}, False, "paused"),
        (PAUSED, {}, True, "paused"),
        (PAUSED, {"cancelled": 3, "in_flight": 1, "stopped": True}, False, "cancelling"),
        (COMPLETED, {"completed": 4}, False, "completed"),
        (COMPLETED, {"completed": 4, "stopped": True}, False, "completed"),
        (COMPLETED, {"completed": 3, "failed": 1}, False, "partly_failed"),
        (COMPLETED, {"failed": 4}, False, "failed"),
        (COMPLETED, {"failed": 1, "cancelled": 3}, False, "failed"),
        (COMPLETED, {"completed": 3, "cancelled": 1}, False, "completed"),
        (COMPLETED, {"cancelled": 4}, False, "cancelled"),
        (BatchState.CANCELLED, {"completed": 1, "failed": 1, "cancelled": 2, "stopped": True}, False, "cancelled"),
    ],
)
def test_what_a_client_is_told_of_a_batch(
    state: BatchState, counts: dict[str, int], unstarted: bool, shown: str
) -> None:
    tally = msgspec.convert({"quantity": 4, **counts}, Tally)
    told = shown_state(state, tally, unstarted=unstarted)
    assert told == shown
    body = msgspec.to_builtins(status_of("b", told, tally, None))["generation_status"]
    assert body.get("state") == (None if shown in ("running", "completed") else shown)
    assert (told in ENDED_STATES) == (state in (COMPLETED, BatchState.CANCELLED))


def test_a_batch_whose_every_picture_failed_is_not_completed(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(3, max_attempts=1))
    world.run(NAME)
    assert shown_everywhere(world) == {"failed"}
    world.breaks = 0.0
    world.steer(Retry(hash=NAME))
    assert shown_everywhere(world) == {"running", None}
    world.run(NAME)
    assert shown_everywhere(world) == {"completed", None}


def test_the_time_of_devices_is_that_of_all_attempts(world: World) -> None:
    def told() -> object:
        batch = world.load(NAME)
        return world.transact(lambda c: result_reply(c, batch, 0, 10)).generation_result.device_seconds

    world.rejects = 2.0
    world.start(new_batch(3, max_attempts=2))
    assert told() is msgspec.UNSET
    world.run(NAME)
    assert told() == 6.0


def test_a_batch_some_of_whose_pictures_failed_says_so(world: World) -> None:
    world.breaks = 0.5
    world.start(new_batch(20, max_attempts=1))
    assert 0 < world.run(NAME).tally.failed < 20
    assert shown_everywhere(world) == {"partly_failed"}


def test_a_batch_whose_time_has_not_come_waits_until_its_first_picture_is_handed_out(world: World) -> None:
    batch = new_batch(2)
    batch.not_before = 100.0
    world.start(batch)
    world.rest()
    assert shown_everywhere(world) == {"waiting"}
    world.steer(Pause(hash=NAME))
    assert shown_everywhere(world) == {"paused"}
    world.steer(Resume(hash=NAME))
    world.run(NAME, until=lambda batch: batch.tally.completed > 0)
    assert shown_everywhere(world) == {"running", None}


def test_a_stopped_batch_is_cancelling_until_its_last_picture_in_flight_has_ended(world: World) -> None:
    world.start(new_batch(20))
    world.run(NAME, until=lambda batch: batch.tally.completed > 2 and batch.tally.in_flight > 0)
    world.steer(Cancel(hash=NAME))
    assert shown_everywhere(world) == {"cancelling"}
    world.run(NAME)
    assert shown_everywhere(world) == {"cancelled"}


def shown_everywhere(world: World) -> set[str | None]:
    """The states that the status that was published last, a status that is asked for, a result and a list show."""
    batch = world.load(NAME)
    result: GenerationResult = world.transact(lambda c: result_reply(c, batch, 0, 1))
    listed: BatchList = world.transact(lambda c: batch_list_reply(c, "local", 0, 1))
    return {
        state_in(world.statuses[-1]),
        state_in(batch.status.generation_status),
        result.generation_result.state,
        listed.batch_list.batches[0].state,
    }


def state_in(body: StatusBody) -> str | None:
    return body.state if isinstance(body.state, str) else None
