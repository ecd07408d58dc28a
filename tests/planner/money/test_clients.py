"""Clients: made known, limited, suspended, resumed; what they have in hand goes on, and the audit log has it all."""

import msgspec
import pytest
from msgspec import UNSET
from sqlalchemy import Engine

from agents.planner.ledger import tables
from agents.planner.ledger.tables import audit, jobs
from agents.planner.money import clients
from agents.planner.money.clients import ClientChange
from agents.planner.requests.replies import batch_list_reply
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.transitions import accept as intake
from protocol.accounts import ClientBody
from protocol.commands import Budget, Cancel, Pause, Priority, Resume, Retry
from protocol.errors import AcpError, Code
from protocol.operator import CreateClient, LimitClient, ResumeClient, RevokeClient, RotateClient, SuspendClient
from tests.planner.priced import PRICE, PricedWorld, priced_batch, priced_world
from tests.planner.workbench import NAME, new_batch

DEAR = 3 * PRICE
"""What is held for one picture."""


@pytest.fixture
def world(engine: Engine) -> PricedWorld:
    return priced_world(engine)


def dollars(micros: int) -> Budget:
    return Budget(amount=micros / 1e6)


def operate(world: PricedWorld, command: ClientChange) -> ClientBody:
    """What the planner does for an operator's command."""
    reply = world.transact(lambda c: clients.change(c, command, world.now))
    world.follow(world.transact(lambda c: rebuild_window(c, world.window, world.now)))
    return reply.client


def refusal(world: PricedWorld, command: ClientChange) -> Code:
    with pytest.raises(AcpError) as caught:
        operate(world, command)
    return caught.value.code


def audited(world: PricedWorld) -> list[str]:
    return [row["what"] for row in world.rows(audit) if row["what"].startswith("client_")]


def handed_out(world: PricedWorld) -> int:
    return len(world.rows(jobs))


def test_a_client_is_what_its_operator_made_it(world: PricedWorld) -> None:
    made = operate(world, CreateClient(client_id="acme", limit=dollars(5_000_000), weight=2, max_in_flight=3))
    assert (made.limit, made.weight, made.max_in_flight, made.state) == (5.0, 2, 3, "active")
    assert (made.spent, made.held, made.pictures) == (0.0, 0.0, 0)
    assert refusal(world, CreateClient(client_id="acme")) == "wrong_state"
    assert audited(world) == ["client_created"]


def test_what_a_limit_leaves_out_stays(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme", limit=dollars(5_000_000), weight=2, max_in_flight=3))
    lighter = operate(world, LimitClient(client_id="acme", weight=1))
    assert (lighter.limit, lighter.weight, lighter.max_in_flight) == (5.0, 1, 3)
    freed = operate(world, LimitClient(client_id="acme", limit=None, max_in_flight=None))
    assert (freed.limit, freed.weight, freed.max_in_flight) == (None, 1, None)
    assert refusal(world, LimitClient(client_id="acme", limit=UNSET)) == "missing_field"


@pytest.mark.parametrize(
    "command",
    [
        LimitClient(client_id="nobody", weight=2),
        SuspendClient(client_id="nobody"),
        ResumeClient(client_id="nobody"),
        RotateClient(client_id="nobody"),
        RevokeClient(client_id="nobody"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_client_that_is_not_there_cannot_be_changed(world: PricedWorld, command: ClientChange) -> None:
    assert refusal(world, command) == "unknown_client"
    assert audited(world) == []


def test_a_word_that_means_something_else_names_no_client(world: PricedWorld) -> None:
    assert refusal(world, CreateClient(client_id="admin")) == "invalid_value"


def test_pages_of_clients_are_in_the_order_of_their_names(world: PricedWorld) -> None:
    for name in ("c", "a", "b"):
        operate(world, CreateClient(client_id=name))
    first = world.transact(lambda c: clients.list_page(c, 0, 2)).client_list
    rest = world.transact(lambda c: clients.list_page(c, 2, 2)).client_list
    assert [one.client_id for one in first.clients] == ["a", "b"]
    assert ([one.client_id for one in rest.clients], first.next, rest.next) == (["c"], 2, None)


def test_a_client_shows_what_it_spent_and_how_many_pictures_it_has(world: PricedWorld) -> None:
    world.start(priced_batch(4))
    world.run(NAME)
    shown = world.transact(lambda c: clients.show(c, "local")).client
    assert (shown.pictures, shown.held) == (4, 0.0)
    assert shown.spent == world.charged() / 1e6 > 0


def test_a_limit_below_what_is_held_lets_running_work_end_and_refuses_new_work_in_cents(world: PricedWorld) -> None:
    world.start(priced_batch(4))
    operate(world, LimitClient(client_id="local", limit=dollars(DEAR)))
    with pytest.raises(AcpError) as caught:
        world.start(priced_batch(1, name="gen_batch_2"))
    assert caught.value.code == "exceeds_budget"
    assert caught.value.body.message == "Generation cost (12¢) exceeds budget (0¢)"
    assert world.run(NAME).tally.completed == 4


def test_a_suspended_client_is_given_nothing_more_until_it_is_resumed(world: PricedWorld) -> None:
    world.window.bound = 2
    world.start(priced_batch(8))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 2)
    begun = handed_out(world)
    assert operate(world, SuspendClient(client_id="local")).state == "suspended"
    world.rest()
    assert handed_out(world) == begun < 8
    assert {row["state"] for row in world.rows(jobs)} <= {"completed", "failed"}
    operate(world, ResumeClient(client_id="local"))
    assert world.run(NAME).tally.ended_pictures == 8
    assert audited(world) == ["client_suspended", "client_resumed"]


def test_suspending_twice_is_suspending_once(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme"))
    for _ in range(2):
        operate(world, SuspendClient(client_id="acme"))
    assert audited(world) == ["client_created", "client_suspended"]


def test_a_suspended_client_may_stop_its_batches_and_begin_nothing(world: PricedWorld) -> None:
    world.start(priced_batch(4))
    operate(world, SuspendClient(client_id="local"))
    with pytest.raises(AcpError) as caught:
        world.start(priced_batch(1, name="gen_batch_2"))
    assert caught.value.code == "suspended"
    for command in (Retry(hash=NAME), Resume(hash=NAME), Priority(hash=NAME, priority="batch")):
        assert world.refused(command).code == "suspended"
    world.steer(Pause(hash=NAME))
    world.steer(Cancel(hash=NAME))
    assert world.run(NAME).state == "cancelled"


def test_a_held_plan_of_a_suspended_client_is_not_approved(world: PricedWorld) -> None:
    batch = new_batch(2, state="held")
    world.start(batch)
    operate(world, SuspendClient(client_id="local"))
    with pytest.raises(AcpError) as caught:
        world.transact(lambda c: intake.approve(c, batch, world.window, world.now))
    assert caught.value.code == "suspended"


def enter(world: PricedWorld, client: str, open_door: bool | None) -> Code | None:
    """Why a client may not begin work; null where it may."""
    batch = new_batch(1, name=f"of_{client}", client=client)
    try:
        world.transact(lambda c: intake.accept(c, batch, None, "payload", world.window, world.now, open_door=open_door))
    except AcpError as error:
        return error.code
    return None


def test_behind_a_closed_door_only_clients_that_were_made_known_begin_work(world: PricedWorld) -> None:
    assert enter(world, "acme", open_door=False) == "unknown_client"
    assert world.rows(tables.clients) == []
    operate(world, CreateClient(client_id="acme"))
    assert enter(world, "acme", open_door=False) is None


def test_the_terminals_own_client_may_always_begin_work(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme"))
    assert enter(world, "local", open_door=False) is None


def test_a_door_of_which_nothing_is_said_is_closed_by_the_first_client_that_is_made_known(world: PricedWorld) -> None:
    assert enter(world, "local", open_door=None) is None
    assert world.transact(lambda c: clients.is_door_open(c, None))
    operate(world, CreateClient(client_id="acme"))
    assert enter(world, "beta", open_door=None) == "unknown_client"
    assert enter(world, "acme", open_door=None) is None
    assert enter(world, "beta", open_door=True) is None


def test_a_revoked_client_is_given_nothing_more_until_it_is_resumed(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme"))
    assert operate(world, RevokeClient(client_id="acme")).state == "revoked"
    assert enter(world, "acme", open_door=True) == "suspended"
    assert operate(world, SuspendClient(client_id="acme")).state == "revoked"
    assert refusal(world, CreateClient(client_id="acme")) == "wrong_state"
    assert refusal(world, RotateClient(client_id="acme")) == "wrong_state"
    assert operate(world, ResumeClient(client_id="acme")).state == "active"
    assert enter(world, "acme", open_door=True) is None


def test_the_terminals_own_client_is_not_revoked(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="local"))
    assert refusal(world, RevokeClient(client_id="local")) == "wrong_state"


def test_a_client_is_shown_with_its_last_changes_and_with_no_other_clients(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme", weight=2))
    operate(world, CreateClient(client_id="beta"))
    for command in (RotateClient, SuspendClient, ResumeClient, RevokeClient):
        operate(world, command(client_id="acme"))
    changes = world.transact(lambda c: clients.show(c, "acme")).changes
    assert changes
    assert [change.what.removeprefix("client_") for change in changes] == [
        "revoked", "resumed", "suspended", "rotated", "created",
    ]  # fmt: skip
    assert changes[-1].detail["weight"] == 2


def test_the_operator_lists_the_batches_of_every_client_with_whose_they_are(world: PricedWorld) -> None:
    for client in ("acme", "beta"):
        assert enter(world, client, open_door=True) is None
    everyone = world.transact(lambda c: batch_list_reply(c, None, 0, 10)).batch_list.batches
    one = world.transact(lambda c: batch_list_reply(c, None, 0, 10, "of_beta")).batch_list.batches
    own = world.transact(lambda c: batch_list_reply(c, "acme", 0, 10)).batch_list.batches
    assert {batch.client_id for batch in everyone} == {"acme", "beta"}
    assert [batch.client_id for batch in one] == ["beta"]
    assert [batch.client_id for batch in own] == [UNSET]


def test_every_change_says_in_the_audit_log_what_it_set(world: PricedWorld) -> None:
    operate(world, CreateClient(client_id="acme", limit=dollars(DEAR)))
    operate(world, LimitClient(client_id="acme", limit=None, weight=3))
    details = [msgspec.json.decode(row["detail"]) for row in world.rows(audit)]
    assert details == [
        {"limit_micros": DEAR, "weight": 1, "max_in_flight": None},
        {"limit_micros": None, "weight": 3},
    ]
