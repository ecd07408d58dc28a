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
        ("nats://me:se cret@broker", "nats://me:***@broker"),
        ("postgresql://me@host/db?password=a b&x=1", "postgresql://***@host/db?password=***&x=1"),
        ("https://host/f?sv=1&sig=ab%3D", "https://host/f?sv=1&sig=***"),
        ("https://host/f?X-Amz-Signature=ab#access_token=cd", "https://host/f?X-Amz-Signature=***#access_token=***"),
        ("sqlite:////home/me@work/ledger.db", "sqlite:////home/me@work/ledger.db"),
        ("{date}_{seed}", "{date}_{seed}"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert hide_credentials(address) == shown
