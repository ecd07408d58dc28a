"""The planner among the other agents, spoken to over a real broker."""
# pyright: reportUnknownMemberType=false
# nats-py leaves its options untyped.

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import nats
import pytest
import zstandard

from bus.client import Client
from bus.connection import Address
from protocol.capabilities import CapabilityReport
from protocol.commands import (
    Approve,
    Cancel,
    Capabilities,
    Command,
    GenerateImages,
    List,
    Quality,
    Requirements,
    Result,
    Status,
)
from protocol.plans import GenerationPlan, PlanBody
from protocol.replies import ErrorReply, Reply
from protocol.results import BatchList, GenerationResult, GenerationStatus, ResultBody
from tests.workshop import instant_settings, served

R = TypeVar("R", bound=Reply)
Login = Callable[[str], Address]

GOLDEN = Path(__file__).parents[2] / "protocol" / "golden"
SEED = (GOLDEN / "seed_generate_images.json").read_bytes()


@pytest.fixture
async def client(tmp_path: Path, login: Login) -> AsyncGenerator[Client]:
    async with served(instant_settings(tmp_path / "home"), login) as client:
        yield client


def small(quantity: int = 4, **fields: object) -> GenerateImages:
    order = GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity))
    return msgspec.structs.replace(order, **fields)


async def answered(client: Client, command: Command | bytes, kind: type[R], client_id: str = "local") -> R:
    """The reply, which must be of this kind."""
    reply = await client.request(command, client_id=client_id, timeout=35)
    assert isinstance(reply, kind), reply
    return reply


async def planned(client: Client, command: GenerateImages) -> tuple[str, PlanBody]:
    """The hash and the plan of an accepted or held command."""
    reply = await answered(client, command, GenerationPlan)
    assert reply.hash is not None, reply
    return reply.hash, reply.generation_plan


async def finished(client: Client, batch: str) -> ResultBody:
    """The result of a batch, once it has ended."""
    result = (await answered(client, Result(hash=batch, wait_s=20), GenerationResult)).generation_result
    assert result.state in ("completed", "cancelled")
    return result


def statuses_of(result: ResultBody) -> list[str]:
    return [image.status for image in result.images]


async def test_the_seeds_message_sent_by_a_stranger_gets_a_plan_and_statuses_that_add_up(
    client: Client, login: Login
) -> None:
    address = login("operator")
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
    seen: list[int] = []
    while done < 100:
        message = await statuses.next_msg(timeout=20)
        told = json.loads(message.data)
        assert told["hash"] == plan["hash"]
        body = told["generation_status"]
        seen.append(sum(body.get(n, 0) for n in ("completed", "processing", "queued", "failed", "cancelled")))
        done = body["completed"]
    assert set(seen) == {100}
    await stranger.close()


async def test_an_answer_comes_in_the_encoding_of_the_question(client: Client, login: Login) -> None:
    address = login("operator")
    stranger = await nats.connect(address.url, user=address.user, password=address.password)
    plain = await stranger.request("acp.v1.command.local", b'{"cmd":"LIST"}', timeout=5)
    assert json.loads(plain.data) == {"batch_list": {"batches": [], "next": None}}
    packed = zstandard.ZstdCompressor().compress(b'{"cmd":"LIST"}')
    answer = await stranger.request("acp.v1.command.local", packed, timeout=5, headers={"Content-Encoding": "zstd"})
    assert (answer.headers or {})["Content-Encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompress(answer.data) == plain.data
    await stranger.close()


async def test_a_batch_ends_with_files_seeds_and_a_contact_sheet(client: Client) -> None:
    batch, _ = await planned(client, small(4, seed=42, metadata={"ticket": 7}))
    result = await finished(client, batch)
    assert statuses_of(result) == ["completed"] * 4
    assert [image.metadata.seed for image in result.images if image.metadata] == [42, 43, 44, 45]
    assert all(Path(image.path or "").is_file() for image in result.images)
    sheet = Path(result.contact_sheet or "")
    assert sheet.is_file()
    assert '<h1 dir="auto">a red mug</h1>' in sheet.with_name("index.html").read_text()
    assert result.metadata == {"ticket": 7}


async def test_a_client_may_wait_for_the_result_or_ask_for_the_status(client: Client) -> None:
    result = await answered(client, small(2, respond_format="GENERATION_RESULT"), GenerationResult)
    assert result.generation_result.generation_status.completed == 2
    status = await answered(client, small(2, respond_format="GENERATION_STATUS"), GenerationStatus)
    await answered(client, Status(hash=status.hash), GenerationStatus)


async def test_the_same_command_id_is_done_once(client: Client) -> None:
    first, _ = await planned(client, small(2, command_id="order-1"))
    again, _ = await planned(client, small(2, command_id="order-1"))
    assert again == first
    conflict = await answered(client, small(3, command_id="order-1"), ErrorReply)
    assert conflict.error.code == "command_conflict"
    other, _ = await planned(client, small(2, command_id="order-2"))
    assert other != first


async def test_a_command_id_is_answered_with_its_first_plan_though_the_workshop_can_do_less_now(
    tmp_path: Path, login: Login
) -> None:
    settings = instant_settings(tmp_path / "home")
    async with served(settings, login) as client:
        first, _ = await planned(client, small(2, command_id="order-1"))
    async with served(settings, login, roles=("planner",)) as client:
        again, _ = await planned(client, small(2, command_id="order-1"))
    assert again == first


async def test_a_held_plan_waits_for_its_token(client: Client) -> None:
    batch, plan = await planned(client, small(2, hold=True))
    assert plan.state == "held"
    assert plan.expires
    assert plan.approval
    await answered(client, Approve(hash=batch, approval="guess"), ErrorReply)
    waiting = await answered(client, Status(hash=batch), GenerationStatus)
    assert waiting.generation_status.queued == 2
    await answered(client, Approve(hash=batch, approval=plan.approval), GenerationStatus)
    assert statuses_of(await finished(client, batch)) == ["completed"] * 2


async def test_a_cancelled_batch_stops_and_its_counts_add_up(client: Client) -> None:
    batch, _ = await planned(client, small(5000))
    await answered(client, Cancel(hash=batch), GenerationStatus)
    async with asyncio.timeout(20):
        async for status in client.watch_status("local", batch):
            body = status.generation_status
            if body.processing == body.queued == 0:
                assert isinstance(body.cancelled, int)
                assert body.cancelled + body.completed == 5000
                assert body.completed < 5000
                break
    listed = await answered(client, List(), BatchList)
    assert [(one.hash, one.state) for one in listed.batch_list.batches] == [(batch, "cancelled")]


async def test_one_client_does_not_see_the_batches_of_another(client: Client) -> None:
    batch, _ = await planned(client, small(1))
    refused = await answered(client, Status(hash=batch), ErrorReply, client_id="rival")
    assert refused.error.code == "unknown_batch"
    assert (await answered(client, List(), BatchList, client_id="rival")).batch_list.batches == []


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        (b'{"cmd":"GENERATE_IMAGES","client_id":"rival"}', "client_mismatch", "$.client_id"),
        (b'{"cmd":"GENERATE_IMAGES","stile":"plain"}', "unknown_field", "$.stile"),
        (b'{"cmd":"RATE","image_id":"x","stars":5}', "not_supported", "$.cmd"),
        (b'{"cmd":"PAUSE","hash":"x"}', "unknown_batch", "$.hash"),
        (b'{"cmd":"STATUS","hash":"x"}', "unknown_batch", "$.hash"),
        (b'{"cmd":"GENERATE_IMAGES","deadline":"2020-01-01T00:00:00Z"}', "invalid_value", "$.deadline"),
        (b"nonsense", "invalid_json", None),
    ],
)
async def test_bad_commands_get_typed_errors_and_make_nothing(
    client: Client, payload: bytes, code: str, path: str | None
) -> None:
    refused = await answered(client, payload, ErrorReply)
    assert (refused.error.code, refused.error.path) == (code, path)
    assert (await answered(client, List(), BatchList)).batch_list.batches == []


async def test_reserved_words_name_no_client(client: Client, login: Login) -> None:
    address = login("operator")
    stranger = await nats.connect(address.url, user=address.user, password=address.password)
    answer = await stranger.request("acp.v1.command.admin", b'{"cmd":"LIST"}', timeout=5)
    assert json.loads(answer.data)["error"]["code"] == "invalid_value"
    await stranger.close()


async def test_capabilities_name_processes_models_styles_and_what_is_not_supported(client: Client) -> None:
    found = (await answered(client, Capabilities(), CapabilityReport)).capabilities
    assert {process.role for process in found.processes} == {"planner", "prompt", "generator", "qa", "storage"}
    assert {"pocket", "base_sdxl"} <= {model.name for model in found.models}
    assert {"plain", "product_photography"} <= set(found.styles)
    assert "brand_guidelines_v2" in found.style_references
    assert {"RATE", "variants"} <= set(found.not_supported)


async def test_an_unknown_style_is_refused_in_the_plan_with_the_nearest_one(client: Client) -> None:
    reply = await answered(client, small(1, style="plane"), GenerationPlan)
    assert (reply.hash, reply.generation_plan.state) == (None, "refused")
    assert reply.generation_plan.refusal
    assert "plain" in (reply.generation_plan.refusal.hint or "")


async def test_other_work_is_refused_with_who_does_it_and_what_works_here_and_prompts_are_drawn_as_they_are(
    client: Client,
) -> None:
    video = "make a 10 second video of a red car"
    reply = await answered(client, small(1, brief=video), GenerationPlan)
    refusal = reply.generation_plan.refusal
    assert (reply.hash, reply.generation_plan.state) == (None, "refused")
    assert refusal
    assert (refusal.code, refusal.delegate_to) == ("delegate", "ai-video-production-master")
    assert any("stills" in way for way in reply.generation_plan.alternatives)

    drawn = await answered(client, small(1, brief=None, prompts=[video]), GenerationPlan)
    assert drawn.generation_plan.state != "refused"


async def test_a_workshop_without_the_models_refuses_the_seeds_command_and_says_what_to_install(
    tmp_path: Path, login: Login
) -> None:
    async with served(instant_settings(tmp_path / "home", generator="diffusers"), login) as client:
        reply = await answered(client, SEED, GenerationPlan, client_id="acme")
    refusal = reply.generation_plan.refusal
    assert (reply.hash, reply.generation_plan.state) == (None, "refused")
    assert refusal
    assert refusal.code == "not_installed"
    assert "base_sdxl" in refusal.message
    assert refusal.hint
    assert any("stand-in" in way for way in reply.generation_plan.alternatives)


async def test_quality_thresholds_are_taken_from_the_command_or_the_settings(client: Client) -> None:
    _, strict = await planned(client, small(1, quality=Quality(min_score=0.9)))
    _, usual = await planned(client, small(1))
    assert (strict.min_score, usual.min_score) == (0.9, 0.5)
