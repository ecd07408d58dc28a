"""What travels keeps its form: frames of every message, kept for good, still decode."""

import json
import re
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from protocol import codec
from protocol.commands import GenerateImages
from protocol.consumers import Consumers
from protocol.drafts import Drafts
from protocol.flat_jobs import FlatJob, FlatWork, KnownMessage, current_message
from protocol.messages import Job
from protocol.results import GenerationStatus, Performance, QualityMetrics, StatusBody
from protocol.reuse import Reuse
from protocol.spending import Spending
from tests.protocol.frames import FILES, GOLDEN, KINDS, decoded, kind_of

every_frame = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def contains(whole: Any, part: Any) -> bool:
    """Whether every value of `part` stands at the same place in `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        fields = cast("dict[str, Any]", whole)
        return all(
            name in fields and contains(fields[name], value) for name, value in cast("dict[str, Any]", part).items()
        )
    if isinstance(part, list) and isinstance(whole, list):
        pairs = zip(cast("list[Any]", whole), cast("list[Any]", part), strict=True)
        return all(contains(one, expected) for one, expected in pairs)
    return whole == part


@every_frame
def test_a_frame_survives_decoding_and_encoding(file: Path) -> None:
    again = json.loads(codec.encode(decoded(file)))

    assert contains(again, json.loads(file.read_bytes()))


def test_every_type_has_a_frame_with_every_field() -> None:
    complete = {
        kind_of(file) for file in FILES if json.loads(codec.encode(decoded(file))) == json.loads(file.read_bytes())
    }

    assert {kind.__name__ for kind in complete} == set(KINDS)


def heard(data: bytes, kind: type[msgspec.Struct]) -> object:
    """What an agent understands; paid calls, stored pictures, drafts and consumers have doors of their own."""
    if kind in Reuse.__args__:
        return codec.decode_reuse(data)
    if kind in Drafts.__args__:
        return codec.decode_drafts(data)
    if kind in Consumers.__args__:
        return codec.decode_consumers(data)
    return codec.decode_spending(data) if kind in Spending.__args__ else codec.decode_message(data)


def understood(file: Path) -> object:
    """The message of a frame, as agents of this version speak."""
    message = decoded(file)
    return current_message(message) if isinstance(message, KnownMessage) else message


@every_frame
def test_a_frame_is_understood_by_the_door_it_comes_through(file: Path) -> None:
    data, kind = file.read_bytes(), kind_of(file)
    if kind.__struct_config__.tag_field == "type":
        assert heard(data, kind) == understood(file)
    elif kind.__struct_config__.tag_field is None:
        assert codec.decode_reply(data) == decoded(file)
    else:
        assert isinstance(decoded(file), kind)


@pytest.mark.parametrize("name", ["seed_generate_images", "command_status", "command_cancel"])
def test_a_command_may_come_with_only_the_fields_it_needs(name: str) -> None:
    frame = json.loads((GOLDEN / f"{name}.json").read_bytes())
    frame.pop("client_id", None)
    frame.pop("image_id", None)

    assert contains(json.loads(codec.encode(codec.decode_command(json.dumps(frame).encode()))), frame)


def test_the_command_of_the_specification_is_accepted_byte_for_byte() -> None:
    command = codec.decode_command((GOLDEN / "seed_generate_images.json").read_bytes())

    assert isinstance(command, GenerateImages)
    assert command.requirements.quantity == 100
    assert command.requirements.resolution == "1024x1024"
    assert command.requirements.style_reference == "brand_guidelines_v2"
    assert command.models == ["base_sdxl", "product_lora_v3"]
    assert (command.quality.min_score, command.quality.consistency) == (0.85, 0.90)
    assert (command.style, command.platform) == ("product_photography", "stable_diffusion_xl")
    assert command.respond_format == "GENERATION_PLAN"


def test_the_status_of_the_specification_is_produced_with_exactly_its_fields_in_its_order() -> None:
    status = GenerationStatus(
        generation_status=StatusBody(
            completed=85,
            processing=10,
            queued=5,
            quality_metrics=QualityMetrics(avg_score=0.88, consistency=0.92, rejection_rate=0.08),
            performance=Performance(avg_time=3.2, gpu_util=0.78),
            cost_per_image=0.02,
        ),
        hash="gen_batch_42",
    )
    frame = (GOLDEN / "seed_generation_status.json").read_text(encoding="utf-8")

    assert codec.encode(status).decode() == re.sub(r"\s", "", frame)
    assert codec.decode_reply(frame.encode()) == status


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.__struct_config__.tag_field == "type"])
def test_agents_ignore_a_field_that_a_newer_agent_added(kind: type[msgspec.Struct]) -> None:
    file = next(file for file in FILES if kind_of(file) is kind)
    newer = {**json.loads(file.read_bytes()), "a_later_field": {"any": ["thing"]}}

    assert heard(json.dumps(newer).encode(), kind) == understood(file)


def test_agents_understand_a_message_of_an_older_agent_without_the_optional_fields() -> None:
    job = json.loads((GOLDEN / "work_generate_image.json").read_bytes())["job"]
    required = [field.name for field in msgspec.structs.fields(type(decoded_job())) if field.required]
    older = {"type": "GENERATE_IMAGE", "job": {name: job[name] for name in required}}

    message = codec.decode_message(json.dumps(older).encode())

    assert codec.decode_message(codec.encode(message)) == message


@pytest.mark.parametrize("file", [file for file in FILES if kind_of(file) in FlatWork.__args__], ids=lambda f: f.stem)
def test_a_flat_job_of_an_older_agent_says_the_same_as_one_of_today(file: Path) -> None:
    flat: Any = decoded(file).job
    job: Any = cast("Any", codec.decode_message(file.read_bytes())).job

    for name in set(FlatJob.__struct_fields__) - {"prompt"}:
        holder = job if name in Job.__struct_fields__ else job.pixels
        assert getattr(holder, name) == getattr(flat, name)
    assert (job.pixels.prompt, job.pixels.negative_prompt) == (flat.prompt.text, flat.prompt.negative)
    assert job.pixels.references == flat.prompt.references
    assert job.prompt_origin == flat.prompt.origin


def decoded_job() -> msgspec.Struct:
    return decoded(GOLDEN / "work_generate_image.json").job


def test_every_message_between_agents_says_its_type_in_its_first_field() -> None:
    tagged = [file for file in FILES if kind_of(file).__struct_config__.tag_field == "type"]

    between_agents = (KnownMessage, Spending, Reuse, Drafts, Consumers)
    assert {type(decoded(file)) for file in tagged} == {kind for union in between_agents for kind in union.__args__}
    assert all(codec.encode(decoded(file)).startswith(b'{"type":"') for file in tagged)
