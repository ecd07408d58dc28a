"""The endpoint of storage over a real broker: what it cannot answer is a service error (ADR-32), counted as one."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from agents.shared.settings import Settings
from bus.connection import Address, Connection, connect
from protocol import codec, subjects
from protocol.reuse import MAX_SOUGHT, FindStored, StoredPictures
from tests.bus.scripted import served
from tests.storage.making import storage_with

Login = Callable[[str], Address]
ZSTD = {"Content-Encoding": "zstd"}
QUESTION = codec.encode(FindStored(client_id="local", digests=["0" * 64]))


@asynccontextmanager
async def asking(home: Path, login: Login) -> AsyncGenerator[Connection]:
    """The planner's connection, beside a storage agent."""
    agent = await storage_with(home)
    async with asyncio.timeout(20), served(agent, login("storage")):
        connection = await connect(login("planner"), name="tests", wait_s=5)
        try:
            yield connection
        finally:
            await connection.close()


async def statistics_of(login: Login) -> tuple[int, int, str]:
    """Requests, errors, and the last of these, as the endpoint counted them."""
    admin = await connect(login("operator"), name="tests", wait_s=5)
    told = json.loads((await admin.client.request("$SRV.STATS.acp-storage", b"", timeout=5)).data)
    await admin.close()
    [endpoint] = told["endpoints"]
    return endpoint["num_requests"], endpoint["num_errors"], endpoint["last_error"]


@pytest.mark.parametrize(
    ("data", "headers", "code"),
    [
        (b"", {}, "invalid_json"),
        (b"{", {}, "invalid_json"),
        (QUESTION, {"Content-Encoding": "br"}, "bad_encoding"),
        (QUESTION, ZSTD, "bad_encoding"),
        (codec.compress(b"x" * 2_000_000), ZSTD, "too_large"),
        (codec.encode(StoredPictures(found=[])), {}, "invalid_value"),
        (
            msgspec.json.encode(
                {"type": "FIND_STORED", "client_id": "local", "digests": ["0" * 64] * (MAX_SOUGHT + 1)}
            ),
            {},
            "invalid_json",
        ),
    ],
)
async def test_what_is_no_question_is_a_service_error(
    tmp_path: Path, login: Login, data: bytes, headers: Mapping[str, str], code: str
) -> None:
    async with asking(tmp_path, login) as connection:
        answer = await connection.client.request(subjects.STORED, data, timeout=5, headers=dict(headers) or None)
        requests, errors, last = await statistics_of(login)

    assert json.loads(answer.data)["error"]["code"] == code
    assert answer.headers is not None
    assert set(answer.headers) == {"Nats-Service-Error", "Nats-Service-Error-Code"}
    assert answer.headers["Nats-Service-Error-Code"] == code
    assert (requests, errors) == (1, 1)
    assert last.startswith(code)


@pytest.mark.parametrize("headers", [{}, ZSTD])
async def test_an_answer_is_compressed_however_the_question_came(
    tmp_path: Path, login: Login, headers: Mapping[str, str]
) -> None:
    data = codec.compress(QUESTION) if headers else QUESTION
    async with asking(tmp_path, login) as connection:
        answer = await connection.client.request(subjects.STORED, data, timeout=5, headers=dict(headers) or None)
        assert (await statistics_of(login))[:2] == (1, 0)

    assert answer.headers == {"Content-Encoding": "zstd", "Acp-Version": "1"}
    assert codec.decode_reuse(codec.unpack(answer.data, answer.headers)) == StoredPictures(found=[])


async def test_a_failure_of_the_catalogue_is_a_service_error_without_its_text_and_is_logged(
    tmp_path: Path, login: Login
) -> None:
    async with asking(tmp_path, login) as connection:
        with sqlite3.connect(Settings(home=tmp_path).catalogue_url.removeprefix("sqlite:///")) as catalogue:
            catalogue.execute("ALTER TABLE images RENAME TO lost")
        with capture_logs() as logs:
            answer = await connection.client.request(subjects.STORED, QUESTION, timeout=5)

    error = json.loads(answer.data)["error"]
    assert (error["code"], error["message"]) == ("internal", "the service failed: OperationalError")
    failures = [(line["event"], line["subject"]) for line in logs if line["log_level"] == "error" and "subject" in line]
    assert failures == [("an endpoint failed", subjects.STORED)]
