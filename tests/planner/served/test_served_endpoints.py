"""What each endpoint of the planner answers to what it cannot read or do: an ordinary reply, never a service error."""
# pyright: reportUnknownMemberType=false
# nats-py leaves its options untyped.

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from agents.shared.settings import Settings
from bus.connection import Address, Connection, connect
from protocol import codec
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]
Request = tuple[bytes, Mapping[str, str], str]
"""(payload, headers, code of the error)."""

ZSTD = {"Content-Encoding": "zstd"}
UNREADABLE: tuple[Request, ...] = (
    (b"", {}, "invalid_json"),
    (b"{", {}, "invalid_json"),
    (b"\xff\xfe", {}, "invalid_json"),
    (b"{}", {"Content-Encoding": "br"}, "bad_encoding"),
    (b"{}", ZSTD, "bad_encoding"),
    (codec.compress(b"x" * 2_000_000), ZSTD, "too_large"),
)
"""What no endpoint can read."""

CALL = {
    "ref": {"hash": "h", "client_id": "local", "index": 0, "attempt": 1, "image_id": "h_000000"},
    "key": "call-1",
}


@dataclass(frozen=True)
class Case:
    """An endpoint, who may ask there, what it refuses, and what it logs and takes when the ledger fails."""

    login: str
    subject: str
    refused: tuple[Request, ...]
    asks_ledger: Mapping[str, Any]
    failure_log: str
    in_kind: bool = False
    first_keys: tuple[str, ...] = ("error",)


def request(code: str, **fields: Any) -> Request:
    return msgspec.json.encode(fields), {}, code


CASES = [
    Case(
        "gateway",
        "acp.v1.command.local",
        (
            request("unknown_command", cmd="LISTS"),
            request("not_supported", cmd="RATE", image_id="x", stars=1),
            request("client_mismatch", cmd="LIST", client_id="other"),
            request("unknown_batch", cmd="STATUS", hash="h"),
            request("unknown_batch", cmd="PAUSE", hash="h"),
            request("unknown_batch", cmd="COSTS", hash="h"),
            request("missing_field", cmd="UPGRADE", hash="h"),
        ),
        {"cmd": "LIST"},
        "command failed",
        in_kind=True,
    ),
    Case(
        "gateway",
        "acp.v1.command.all",
        (request("invalid_value", cmd="LIST"), request("invalid_value", cmd="CAPABILITIES")),
        {"cmd": "COSTS"},
        "",
        in_kind=True,
    ),
    Case(
        "operator",
        "acp.v1.operator",
        (
            request("unknown_command", cmd="LIST"),
            request("unknown_client", cmd="SHOW_CLIENT", client_id="nobody"),
            request("unknown_client", cmd="SUSPEND_CLIENT", client_id="nobody"),
            request("unknown_client", cmd="SHOW_COSTS", client_id="nobody"),
            request("missing_field", cmd="LIMIT_CLIENT", client_id="nobody"),
        ),
        {"cmd": "LIST_CLIENTS"},
        "a command of the operator failed",
    ),
    Case(
        "generator",
        "acp.v1.ledger.intent",
        (
            request("invalid_value", type="INTENT_REPLY", state=None),
            request("invalid_json", type="NO"),
            request("wrong_state", type="CLOSE_INTENT", outcome="captured", micros=1, **CALL),
        ),
        {"type": "OPEN_INTENT", "provider": "p", "request": "0" * 64, "max_micros": 1, **CALL},
        "a question about a paid call failed",
        first_keys=("type", "state", "error"),
    ),
]
by_subject = pytest.mark.parametrize("case", CASES, ids=lambda case: case.subject)


@asynccontextmanager
async def asking(home: Path, login: Login, case: Case) -> AsyncGenerator[tuple[Connection, Settings]]:
    """The connection of who may ask, beside a planner."""
    settings = instant_settings(home, reconcile_s=1000.0)
    async with asyncio.timeout(20), served(settings, login, ("planner",)):
        connection = await connect(login(case.login), name="tests", wait_s=5)
        try:
            yield connection, settings
        finally:
            await connection.close()


async def error_of(connection: Connection, case: Case, data: bytes, headers: Mapping[str, str]) -> str:
    """The code of an error reply, whose form is that of its endpoint."""
    packed = case.in_kind and headers.get("Content-Encoding") == "zstd"
    answer = await connection.client.request(case.subject, data, timeout=5, headers=dict(headers) or None)
    assert answer.headers == ({**ZSTD, "Acp-Version": "1"} if packed else {"Acp-Version": "1"})
    body = json.loads(codec.unpack(answer.data, answer.headers))
    assert tuple(body) == case.first_keys
    assert body.get("state") is None
    assert set(body["error"]) == {"code", "message", "path", "hint", "retryable", "delegate_to"}
    return body["error"]["code"]


async def statistics_of(login: Login, subject: str) -> tuple[int, int]:
    """Requests and errors that the planner's endpoint counted."""
    admin = await connect(login("operator"), name="tests", wait_s=5)
    told = json.loads((await admin.client.request("$SRV.STATS.acp-planner", b"", timeout=5)).data)
    await admin.close()
    kind = subject.split(".")[2]
    return next((e["num_requests"], e["num_errors"]) for e in told["endpoints"] if e["subject"].split(".")[2] == kind)


@by_subject
async def test_what_cannot_be_read_or_done_is_an_ordinary_reply_that_counts_as_answered(
    tmp_path: Path, login: Login, case: Case
) -> None:
    async with asking(tmp_path, login, case) as (connection, _):
        for data, headers, code in (*UNREADABLE, *case.refused):
            assert await error_of(connection, case, data, headers) == code, data
        for data, _, code in case.refused:
            assert await error_of(connection, case, codec.compress(data), ZSTD) == code, data

        asked = len(UNREADABLE) + 2 * len(case.refused)
        assert await statistics_of(login, case.subject) == (asked, 0)


@pytest.mark.parametrize("case", [case for case in CASES if case.failure_log], ids=lambda case: case.subject)
async def test_a_failure_of_the_ledger_is_an_ordinary_reply_without_its_text_and_is_logged(
    tmp_path: Path, login: Login, case: Case
) -> None:
    async with asking(tmp_path, login, case) as (connection, settings):
        with sqlite3.connect(settings.ledger_url.removeprefix("sqlite:///")) as ledger:
            for table in ("batches", "clients", "intents"):
                ledger.execute(f"ALTER TABLE {table} RENAME TO lost_{table}")
        with capture_logs() as logs:
            assert await error_of(connection, case, msgspec.json.encode(case.asks_ledger), {}) == "internal"
        assert await statistics_of(login, case.subject) == (1, 0)

    failures = [(line["event"], line["subject"]) for line in logs if line["log_level"] == "error" and "subject" in line]
    assert failures == [(case.failure_log, case.subject)]
