"""What is shown of addresses that hold a password."""

import pytest

from agents.doors.cli.workshop.hidden import hide_credentials


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("nats://broker:4222", "nats://broker:4222"),
        ("nats://me:secret@broker:4222", "nats://me:***@broker:4222"),
        ("nats://a-token@broker:4222", "nats://***@broker:4222"),
        ("nats://me:se@cr/et@broker", "nats://me:***@broker"),
        ("nats://me:secret@one,nats://me:other@two", "nats://me:***@two"),
        ("postgresql://me:secret@host/db?sslpassword=other&x=1", "postgresql://me:***@host/db?sslpassword=***&x=1"),
        ("sqlite:////home/me@work/ledger.db", "sqlite:////home/me@work/ledger.db"),
        ("{date}_{seed}", "{date}_{seed}"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert hide_credentials(address) == shown
