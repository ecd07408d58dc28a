"""What the operator of a running workshop types: clients, and messages that were given up."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.doors.cli.workshop.doctor import check_clients
from agents.storage.filing import read_record
from agents.storage.png import with_text, without_text
from agents.storage.record import texts_of
from bus import credentials
from bus.connection import connect
from protocol import codec, subjects
from protocol.accounts import ClientList, ClientReply
from protocol.codec import decode_reply
from protocol.messages import WritePrompts
from tests.doors.cli.conftest import Home
from tests.workshop import instant_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LOST = WritePrompts(hash="gen_batch_lost", client_id="acme", first=0, count=1, seed=1, style="a style that nobody has")


def client_of(home: Home, *arguments: str) -> ClientReply:
    done = home.run("clients", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    reply = decode_reply(done.stdout.encode())
    assert isinstance(reply, ClientReply)
    return reply


async def publish(home: Home, subject: str, payload: bytes, headers: dict[str, str]) -> None:
    """Put a message where an agent takes it, with the right of the operator to say things again."""
    kept = credentials.read_credentials(home.folder / "nats")
    assert kept is not None
    operator = kept.address("operator")
    connection = await connect(operator, name="tests", wait_s=5)
    try:
        await connection.client.request(subject, payload, timeout=5, headers=headers)
    finally:
        await connection.close()


def letters_of(home: Home, count: int, *arguments: str) -> list[dict[str, object]]:
    """The dead letters, once there are so many; the test's own timeout bounds it."""
    while True:
        done = home.run("dead-letters", "list", *arguments, "--json")
        assert done.returncode == 0, done.stdout
        if len(letters := json.loads(done.stdout)["dead_letters"]) == count:
            return letters


def test_a_client_is_made_limited_suspended_and_resumed(workshop: Home) -> None:
    made = client_of(workshop, "create", "acme", "--limit", "5.00", "--weight", "2").client
    assert (made.limit, made.weight, made.max_in_flight, made.state) == (5.0, 2, None, "active")
    changed = client_of(workshop, "limit", "acme", "--limit", "none", "--max-in-flight", "3").client
    assert (changed.limit, changed.weight, changed.max_in_flight) == (None, 2, 3)
    assert client_of(workshop, "suspend", "acme").client.state == "suspended"
    assert client_of(workshop, "resume", "acme").client.state == "active"
    assert client_of(workshop, "show", "acme").client == changed
    listed = decode_reply(workshop.run("clients", "list", "--json").stdout.encode())
    assert isinstance(listed, ClientList)
    assert changed in listed.client_list.clients
    for command in (("show", "acme"), ("list",)):
        shown = workshop.run("clients", *command).stdout
        assert "acme" in shown
        assert "0.00 USD" in shown


def test_a_client_is_given_a_login_that_is_changed_ended_and_given_again(workshop: Home) -> None:
    def login_of(*arguments: str) -> str:
        done = workshop.run("clients", *arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)["url"]

    first, second = login_of("create", "beta"), login_of("rotate", "beta")
    assert first != second == json.loads(workshop.run("url", "--client", "beta", "--json").stdout)["url"]
    assert workshop.run("generate", "a mug", "--platform", "pocket", "--hold", "--json").returncode == 0
    everyones = json.loads(workshop.run("list", "--client", "all", "--json").stdout)["batch_list"]["batches"]
    assert "local" in {one["client_id"] for one in everyones}
    mine = workshop.run("list", "--json", BOTTEGA_NATS_URL=second)
    assert mine.returncode == 0, mine.stderr
    shown = json.loads(mine.stdout)["batch_list"]["batches"]
    assert [one["hash"] for one in shown] == [one["hash"] for one in everyones if one["client_id"] == "beta"]
    assert client_of(workshop, "revoke", "beta").client.state == "revoked"
    assert workshop.run("url", "--client", "beta").returncode == 2
    assert login_of("resume", "beta") not in (first, second)
    changes = [change.what for change in client_of(workshop, "show", "beta").changes or []]
    assert changes == ["client_resumed", "client_revoked", "client_rotated", "client_created"]
    shown = workshop.run("clients", "show", "beta").stdout
    assert "created  limit none, weight 1, max in flight none" in shown


def test_the_doctor_says_who_may_order(workshop: Home, home: Home) -> None:
    workshop.run("clients", "create", "delta")
    assert "only clients that are known" in check_clients(instant_settings(workshop.folder, open_door="auto")).detail
    assert "any name" in check_clients(instant_settings(workshop.folder, open_door=True)).detail
    assert "any name" in check_clients(instant_settings(home.folder, open_door="auto")).detail
    assert "only clients that are known" in check_clients(instant_settings(home.folder, open_door=False)).detail


def test_the_terminals_own_client_goes_on_with_its_new_password(workshop: Home) -> None:
    before = workshop.run("url").stdout
    assert workshop.run("clients", "rotate", "local").returncode == 0
    assert workshop.run("url").stdout != before
    assert workshop.run("list").returncode == 0


def test_an_operator_orders_sees_and_steers_for_every_client(workshop: Home) -> None:
    workshop.run("clients", "create", "gamma")
    made = workshop.run("generate", "a red mug", "--platform", "pocket", "--client", "gamma", "--json")
    assert made.returncode == 0, made.stdout
    batch = json.loads(made.stdout)["hash"]
    assert batch in workshop.run("list", BOTTEGA_CLIENT="gamma").stdout
    assert batch not in workshop.run("list").stdout
    everyone = json.loads(workshop.run("list", "--client", "all", "--json").stdout)["batch_list"]["batches"]
    assert {one["hash"]: one["client_id"] for one in everyone}[batch] == "gamma"
    assert "gamma" in workshop.run("list", "--client", "all").stdout
    for command in (["status", batch], ["result", batch], ["cancel", batch], ["status", batch, "--watch"]):
        refused = workshop.run(*command)
        assert (refused.returncode, f"{batch} is gamma's" in refused.stderr) == (2, True)
        assert "--client gamma" in refused.stderr
    for command in (["status", batch], ["result", batch], ["status", batch, "--watch"], ["costs"]):
        assert workshop.run(*command, "--client", "gamma").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "twice"], "wrong_state"),
        (["rotate", "nobody"], "unknown_client"),
        (["revoke", "nobody"], "unknown_client"),
        (["revoke", "local"], "wrong_state"),
        (["show", "nobody"], "unknown_client"),
        (["create", "a.b"], "invalid_value"),
        (["create", "admin"], "invalid_value"),
        (["limit", "nobody"], "invalid_value"),
        (["limit", "nobody", "--limit", "much"], "invalid_value"),
        (["limit", "nobody", "--limit", "nan"], "invalid_value"),
        (["limit", "nobody", "--max-in-flight", "0"], "invalid_value"),
    ],
)
def test_what_cannot_be_done_for_a_client_is_bad_input_with_a_hint(
    workshop: Home, arguments: list[str], code: str
) -> None:
    workshop.run("clients", "create", "twice")
    done = workshop.run("clients", *arguments, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code
    assert error["hint"]


def test_a_message_that_was_given_up_is_listed_shown_and_dropped_where_nobody_waits_for_it(
    workshop: Home, tmp_path: Path
) -> None:
    payload, headers = codec.pack(LOST)
    asyncio.run(publish(workshop, subjects.subject_of(LOST), payload, headers))
    (letter,) = letters_of(workshop, 1, "--subject", "acp.v1.work.prompt.>")
    assert (letter["kind"], letter["client"], letter["hash"]) == ("WritePrompts", "acme", "gen_batch_lost")
    assert "a style that nobody has" in str(letter["reason"])
    raw = tmp_path / "letter"
    shown = json.loads(workshop.run("dead-letters", "show", str(letter["id"]), "--raw", str(raw), "--json").stdout)
    assert shown["dead_letter"] == letter
    assert shown["message"]["style"] == "a style that nobody has"
    assert raw.read_bytes() == payload
    assert "gen_batch_lost" in workshop.run("dead-letters", "list").stdout
    assert '"a style that nobody has"' in workshop.run("dead-letters", "show", str(letter["id"])).stdout
    done = workshop.run("dead-letters", "replay", str(letter["id"]), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (dropped,) = json.loads(done.stdout)["dropped"]
    assert dropped == {"id": letter["id"], "reason": "there is no batch gen_batch_lost"}
    assert letters_of(workshop, 0) == []
    assert workshop.run("dead-letters", "show", str(letter["id"])).returncode == 2
    assert "no dead letters" in workshop.run("dead-letters", "list").stdout


def test_a_letter_that_cannot_be_read_is_kept(workshop: Home) -> None:
    asyncio.run(publish(workshop, "acp.v1.work.qa.garbage.0.1", b"{}", {}))
    (letter,) = letters_of(workshop, 1)
    assert letter["kind"] is None
    assert "cannot be read" in workshop.run("dead-letters", "show", str(letter["id"])).stdout
    done = workshop.run("dead-letters", "replay", "--all")
    assert done.returncode == 1
    assert "0 said again, 0 dropped, 1 kept" in done.stdout
    assert letters_of(workshop, 1) == [letter]


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["1", "--subject", ">"], ["4711"]])
def test_a_replay_says_which_letters(workshop: Home, arguments: list[str]) -> None:
    done = workshop.run("dead-letters", "replay", *arguments)
    assert done.returncode == 2
    assert "try:" in done.stderr


@pytest.mark.parametrize("arguments", [["clients", "list"], ["dead-letters", "list"]])
def test_without_a_workshop_there_is_nobody_to_ask(home: Home, arguments: list[str]) -> None:
    done = home.run(*arguments)
    assert done.returncode == 3
    assert "bottega up" in done.stderr


def test_a_picture_is_made_again_by_the_workshop_that_runs_where_it_makes_the_same(workshop: Home, tmp_path: Path):
    stored = json.loads(workshop.run("generate", "a red car", "--seed", "4", "--json").stdout)
    data = Path(stored["images"][0]["path"]).read_bytes()
    # A record of the instant generator says that its pictures are no model's.
    file, record = tmp_path / "picture.png", replace(read_record(data), provider="local")
    file.write_bytes(with_text(without_text(data), texts_of(record)))
    batches = workshop.run("list", "--json").stdout
    blobs = sorted((workshop.folder / "blobs").rglob("*"))

    again = workshop.run("rerun", str(file), "--out", str(tmp_path / "again.png"), "--json")

    said = json.loads(again.stdout)
    assert "error" not in said, said
    assert (again.returncode, said["verdict"], said["largest"], said["by_workshop"]) == (0, "identical", 0, True)
    assert (tmp_path / "again.png").read_bytes() == without_text(data)
    assert workshop.run("list", "--json").stdout == batches
    assert sorted((workshop.folder / "blobs").rglob("*")) == blobs, "nothing is stored"
    assert "by the running workshop" in workshop.run("rerun", str(file)).stdout
