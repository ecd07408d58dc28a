"""How much of the ledger one client may have, on SQLite and PostgreSQL."""

from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tables import audit, batches, clients
from agents.planner.transitions import accept as intake
from agents.planner.transitions.bounds import Bounds
from protocol.errors import AcpError, Code
from tests.planner.workbench import World, new_batch

BOUNDS = Bounds(held_plans=2, unfinished_batches=3, known_clients=3)


def order(world: World, client: str, number: int, state: BatchState = BatchState.RUNNING) -> Code | None:
    """Why a further batch of a client is refused; null where it was accepted."""
    batch = new_batch(1, name=f"of_{client}_{number}", client=client, state=state)
    try:
        world.transact(
            lambda c: intake.accept(c, batch, None, "p", world.window, world.now, open_door=True, bounds=BOUNDS)
        )
    except AcpError as error:
        return error.code if error.body.retryable else None
    return None


def test_the_plan_and_the_batch_after_the_last_that_has_room_are_refused_and_leave_no_row(world: World) -> None:
    assert [order(world, "acme", n, BatchState.HELD) for n in range(3)] == [None, None, "queue_full"]
    assert [order(world, "acme", 10 + n) for n in range(2)] == [None, "queue_full"]
    assert {row["hash"] for row in world.rows(batches)} == {f"of_acme_{n}" for n in (0, 1, 10)}
    assert order(world, "beta", 0) is None


def test_names_that_come_in_through_an_open_door_are_counted_and_each_is_audited(world: World) -> None:
    assert [order(world, name, 0) for name in ("local", "a", "b", "c")] == [None, None, None, "queue_full"]
    assert {row["client_id"] for row in world.rows(clients)} == {"local", "a", "b"}
    told = [(row["client_id"], row["what"]) for row in world.rows(audit) if row["what"].startswith("client_")]
    assert told == [("a", "client_admitted"), ("b", "client_admitted")]
    assert order(world, "a", 1) is None
