"""The planner among the other agents, spoken to over a real broker."""

import asyncio
import json
from pathlib import Path

import nats
import pytest
import zstandard

from bus.client import Client
from protocol.commands import (
    Approve,
    Cancel,
    Capabilities,
    GenerateImages,
    List,
    Quality,
    Requirements,
    Result,
    Status,
)
from protocol.replies import (
    BatchList,
    CapabilityReport,
    ErrorReply,
    GenerationPlan,
    GenerationResult,
    GenerationStatus,
    Image,
)
from tests.workshop import instant_settings, served

GOLDEN = Path(__file__).parent.parent / "protocol" / "golden"
SEED = (GOLDEN / "seed_generate_images.json").read_bytes()


@pytest.fixture
async def client(tmp_path, login):
    async with served(instant_settings(tmp_path / "home"), login) as client:
        yield client


def small(quantity: int = 4, **fields: object) -> GenerateImages:
    return GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity), **fields)  # pyright: ignore[reportArgumentType]


async def planned(client: Client, command: GenerateImages) -> GenerationPlan:
    reply = await client.request(command)
    assert isinstance(reply, GenerationPlan), reply
    return reply


async def finished(client: Client, batch: str) -> list[Image]:
    reply = await client.request(Result(hash=batch, wait_s=20), timeout=25)
    assert isinstance(reply, GenerationResult), reply
    assert reply.generation_result.state in ("completed", "cancelled")
    return reply.generation_result.images


async def test_the_seeds_message_sent_by_a_stranger_gets_a_plan_and_statuses_that_add_up(client, login):
    address = login("client")
    stranger = await nats.connect(address.url, user=address.user, password=address.password)
    statuses = await stranger.subscribe("acp.v1.status.acme.*")
    await stranger.flush()
    async with asyncio.timeout(1):
        answer = await stranger.request("acp.v1.command.acme", SEED, timeout=5)
    plan = json.loads(answer.data)
    assert list(plan) == ["generation_plan", "hash"]
    assert plan["generation_plan"]["state"] == "accepted"
    assert plan["generation_plan"]["quantity"] == 100
    assert plan["generation_plan"]["prompts"]
    done = 0
    seen = []
    while done < 100:
        message = await statuses.next_msg(timeout=20)
        told = json.loads(message.data)
        assert told["hash"] == plan["hash"]
        body = told["generation_status"]
        seen.append(sum(body.get(n, 0) for n in ("completed", "processing", "queued", "failed", "cancelled")))
        done = body["completed"]
    assert set(seen) == {100}
    await stranger.close()


async def test_an_answer_comes_in_the_encoding_of_the_question(client, login):
    address = login("client")
    stranger = await nats.connect(address.url, user=address.user, password=address.password)
    plain = await stranger.request("acp.v1.command.local", b'{"cmd":"LIST"}', timeout=5)
    assert json.loads(plain.data) == {"batch_list": {"batches": [], "next": None}}
    packed = zstandard.ZstdCompressor().compress(b'{"cmd":"LIST"}')
    answer = await stranger.request("acp.v1.command.local", packed, timeout=5, headers={"Content-Encoding": "zstd"})
    assert answer.headers["Content-Encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompress(answer.data) == plain.data
    await stranger.close()


async def test_a_batch_ends_with_files_seeds_and_a_contact_sheet(client):
    plan = await planned(client, small(4, seed=42, metadata={"ticket": 7}))
    images = await finished(client, plan.hash)
    assert [image.status for image in images] == ["completed"] * 4
    assert [image.metadata.seed for image in images] == [42, 43, 44, 45]
    assert all(Path(image.path).is_file() for image in images)
    reply = await client.request(Result(hash=plan.hash))
    assert Path(reply.generation_result.contact_sheet).is_file()
    assert reply.generation_result.metadata == {"ticket": 7}


async def test_a_client_may_wait_for_the_result_or_ask_for_the_status(client):
    result = await client.request(small(2, respond_format="GENERATION_RESULT"), timeout=25)
    assert isinstance(result, GenerationResult)
    assert result.generation_result.generation_status.completed == 2
    status = await client.request(small(2, respond_format="GENERATION_STATUS"))
    assert isinstance(status, GenerationStatus)
    assert isinstance(await client.request(Status(hash=status.hash)), GenerationStatus)


async def test_the_same_command_id_is_done_once(client):
    first = await planned(client, small(2, command_id="order-1"))
    again = await planned(client, small(2, command_id="order-1"))
    assert again.hash == first.hash
    other = await client.request(small(3, command_id="order-1"))
    assert isinstance(other, ErrorReply)
    assert other.error.code == "command_conflict"
    assert (await planned(client, small(2, command_id="order-2"))).hash != first.hash


async def test_a_held_plan_waits_for_its_token(client):
    held = await planned(client, small(2, hold=True))
    assert held.generation_plan.state == "held"
    assert held.generation_plan.expires
    wrong = await client.request(Approve(hash=held.hash, approval="guess"))
    assert isinstance(wrong, ErrorReply)
    waiting = await client.request(Status(hash=held.hash))
    assert waiting.generation_status.queued == 2
    started = await client.request(Approve(hash=held.hash, approval=held.generation_plan.approval))
    assert isinstance(started, GenerationStatus)
    assert [image.status for image in await finished(client, held.hash)] == ["completed"] * 2


async def test_a_cancelled_batch_stops_and_its_counts_add_up(client):
    plan = await planned(client, small(5000))
    status = await client.request(Cancel(hash=plan.hash))
    assert isinstance(status, GenerationStatus)
    async with asyncio.timeout(20):
        async for status in client.watch_status("local", plan.hash):
            body = status.generation_status
            if body.processing == body.queued == 0:
                break
    assert body.cancelled + body.completed == 5000
    assert body.completed < 5000
    listed = await client.request(List())
    assert isinstance(listed, BatchList)
    assert [(batch.hash, batch.state) for batch in listed.batch_list.batches] == [(plan.hash, "cancelled")]


async def test_one_client_does_not_see_the_batches_of_another(client):
    plan = await planned(client, small(1))
    reply = await client.request(Status(hash=plan.hash), client_id="rival")
    assert isinstance(reply, ErrorReply)
    assert reply.error.code == "unknown_batch"
    assert (await client.request(List(), client_id="rival")).batch_list.batches == []


@pytest.mark.parametrize(
    ("payload", "client_id", "code", "path"),
    [
        (b'{"cmd":"GENERATE_IMAGES","client_id":"rival"}', "local", "client_mismatch", "$.client_id"),
        (b'{"cmd":"GENERATE_IMAGES","stile":"plain"}', "local", "unknown_field", "$.stile"),
        (b'{"cmd":"PAUSE","hash":"x"}', "local", "not_supported", "$.cmd"),
        (b"nonsense", "local", "invalid_json", None),
    ],
)
async def test_bad_commands_get_typed_errors_and_make_nothing(client, payload, client_id, code, path):
    reply = await client.request(payload, client_id=client_id)
    assert isinstance(reply, ErrorReply)
    assert (reply.error.code, reply.error.path) == (code, path)
    assert (await client.request(List())).batch_list.batches == []


async def test_reserved_words_name_no_client(client, login):
    address = login("client")
    stranger = await nats.connect(address.url, user=address.user, password=address.password)
    answer = await stranger.request("acp.v1.command.admin", b'{"cmd":"LIST"}', timeout=5)
    assert json.loads(answer.data)["error"]["code"] == "invalid_value"
    await stranger.close()


async def test_capabilities_name_processes_models_styles_and_what_is_not_supported(client):
    reply = await client.request(Capabilities())
    assert isinstance(reply, CapabilityReport)
    found = reply.capabilities
    assert {process.role for process in found.processes} == {"planner", "prompt", "generator", "qa", "storage"}
    assert {"pocket", "base_sdxl"} <= {model.name for model in found.models}
    assert {"plain", "product_photography"} <= set(found.styles)
    assert "brand_guidelines_v2" in found.style_references
    assert {"PAUSE", "sweep"} <= set(found.not_supported)


async def test_an_unknown_style_is_refused_in_the_plan_with_the_nearest_one(client):
    plan = await planned(client, small(1, style="plane"))
    assert plan.hash is None
    assert plan.generation_plan.state == "refused"
    assert "plain" in (plan.generation_plan.refusal.hint or "")


async def test_a_workshop_without_the_models_refuses_the_seeds_command_and_says_what_to_install(tmp_path, login):
    settings = instant_settings(tmp_path / "home", generator="diffusers")
    async with served(settings, login) as client:
        reply = await client.request(SEED, client_id="acme")
        assert isinstance(reply, GenerationPlan)
        refusal = reply.generation_plan.refusal
        assert (reply.hash, reply.generation_plan.state, refusal.code) == (None, "refused", "not_installed")
        assert "base_sdxl" in refusal.message
        assert refusal.hint
        assert any("stand-in" in way for way in reply.generation_plan.alternatives)


async def test_quality_thresholds_are_taken_from_the_command_or_the_settings(client):
    plan = await planned(client, small(1, quality=Quality(min_score=0.9)))
    assert plan.generation_plan.min_score == 0.9
    assert (await planned(client, small(1))).generation_plan.min_score == 0.5
