"""Who speaks: by the login of a URL, and by what --client says."""

import pytest

from agents.doors.cli.errors import Failure
from agents.doors.cli.speaker import client_of_command, file_refusal, needs_operator


@pytest.mark.parametrize(
    ("user", "wanted", "client"),
    [
        (None, None, "local"),
        (None, "acme", "acme"),
        ("client_acme", None, "acme"),
        ("client_acme", "acme", "acme"),
        ("client_local", None, "local"),
        ("operator", None, "local"),
        ("operator", "acme", "acme"),
        ("gateway", "acme", "acme"),
        ("somebody", "acme", "acme"),
    ],
)
def test_a_login_of_a_client_speaks_for_it_and_every_other_one_for_whom_it_names(
    user: str | None, wanted: str | None, client: str
) -> None:
    assert client_of_command(user, wanted) == client


@pytest.mark.parametrize("wanted", ["beta", "local"])
def test_a_clients_login_does_not_speak_for_another(wanted: str) -> None:
    with pytest.raises(Failure, match=f"client acme, which cannot speak as {wanted}") as caught:
        client_of_command("client_acme", wanted)
    assert caught.value.body.hint


def test_a_word_with_a_meaning_of_its_own_is_no_client() -> None:
    with pytest.raises(Failure, match="'all' names no client"):
        client_of_command("operator", "all")


@pytest.mark.parametrize("user", ["client_acme", "client_local", "gateway"])
def test_what_is_the_operators_says_which_login_is_missing_and_where_it_lies(user: str) -> None:
    refusal = needs_operator(user, "/home/nats")
    assert refusal is not None
    assert "operator" in refusal.body.message
    assert "/home/nats" in (refusal.body.hint or "")


@pytest.mark.parametrize("user", [None, "operator", "somebody"])
def test_other_logins_may_be_the_operators(user: str | None) -> None:
    assert needs_operator(user, "/home/nats") is None


@pytest.mark.parametrize("user", ["client_acme", "gateway"])
def test_a_login_that_brings_no_files_is_told_what_it_can_do_instead(user: str) -> None:
    refused = file_refusal(user)
    assert refused is not None
    assert "by its id" in str(refused.body.hint)


@pytest.mark.parametrize("user", [None, "operator"])
def test_the_operator_brings_files(user: str | None) -> None:
    assert file_refusal(user) is None
