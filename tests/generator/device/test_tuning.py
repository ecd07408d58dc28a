# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""How models are laid out and computed: what changes bits is asked for, said in the picture, and never done to strict
ones; large parts take turns on a small device."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.generator.device.offload import PartOffloader
from agents.generator.device.tuning import DEFAULT_TUNING, Tuning, tuning_from_versions
from agents.generator.engine import Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order
from agents.generator.orders.post_stages import order_with_stages
from agents.generator.registry import registry
from agents.shared.settings import Offload
from protocol.commands import Lora
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.post import Refine
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.pipelines.test_loras import ATTENTION, save, tensors

Orders = Callable[..., Order]


async def drawn(home: Path, order: Order, tuning: Tuning = DEFAULT_TUNING) -> Rendering:
    engine = DiffusersEngine("cpu", 1, home / "run", tuning)
    async with engine.open():
        return await made(engine, order)


async def test_a_compiled_model_makes_the_same_picture_and_says_so(home: Path, tiny_order: Orders):
    order, compiled = tiny_order(), Tuning(compile="aot_eager")
    plain, other = await drawn(home, order), await drawn(home, order, compiled)
    assert abs(pixels(other).astype(int) - pixels(plain)).max() <= 1
    assert other.versions == plain.versions | {"compile": "aot_eager"}
    assert tuning_from_versions(other.versions, "auto").compile == "aot_eager"


async def test_a_compiled_model_is_called_in_few_sizes(home: Path, tiny_order: Orders):
    engine = DiffusersEngine("cpu", 1, home / "run", Tuning(compile="eager"))
    async with engine.open():
        renderings = await asyncio.gather(*(made(engine, tiny_order(seed=seed, steps=12)) for seed in range(7)))
    rooms = {room for one in renderings if one.buckets for room, _ in one.buckets.denoise}
    assert rooms <= {1, 2, 4, 8, 16}
    assert max(rooms) > 1


@pytest.mark.parametrize(
    "fields", [{"strict": True}, {"loras": [Lora(name="glow", weight=0.5)]}], ids=["strict", "lora"]
)
async def test_a_picture_that_is_strict_or_has_a_lora_uses_nothing_that_was_compiled(
    home: Path, tiny_order: Orders, fields: dict[str, Any]
):
    save(home / "loras", "glow", tensors(ATTENTION))
    order, programs = tiny_order(**fields), torch._dynamo.utils.counters["stats"]
    torch._dynamo.reset()
    programs.clear()
    plain = await drawn(home, order)
    engine = DiffusersEngine("cpu", 1, home / "run", Tuning(compile="aot_eager"))
    async with engine.open():
        other = await made(engine, order)
        assert (other.data, other.versions) == (plain.data, plain.versions)
        assert not programs
        await made(engine, tiny_order())
        assert programs


async def test_a_refinement_with_a_lora_uses_nothing_that_was_compiled_and_one_without_does(
    home: Path, load: Callable[[], registry.Registry], job: Callable[..., Job]
):
    save(home / "loras", "glow", tensors(ATTENTION))
    glow, stats = [Lora(name="glow", weight=0.5)], torch._dynamo.utils.counters["stats"]
    programs: list[int] = []
    for wanted in (job(), job(post=[Refine(loras=glow)]), job(loras=glow, post=[Refine(loras=[])])):
        torch._dynamo.reset()
        stats.clear()
        rendering = await drawn(home, order_with_stages(wanted, load()), Tuning(compile="aot_eager"))
        programs.append(stats["unique_graphs"])
        assert rendering.versions["compile"] == "aot_eager"
    plain, adapted_later, plain_later = programs
    assert adapted_later == plain
    assert plain_later > 0


async def test_an_attention_that_is_not_to_be_had_is_refused_with_what_to_unset(home: Path, tiny_order: Orders):
    engine = DiffusersEngine("cpu", 1, home / "run", Tuning(attention="flash"))
    async with engine.open():
        with pytest.raises(AcpError) as refused:
            await made(engine, tiny_order())
    assert refused.value.code == "not_installed"
    assert "flash" in refused.value.body.message
    assert "BOTTEGA_ATTENTION" in (refused.value.body.hint or "")


@pytest.mark.parametrize("offload", ["model", "blocks"])
async def test_parts_that_take_turns_make_the_same_picture(home: Path, tiny_order: Orders, offload: Offload):
    save(home / "loras", "glow", tensors(ATTENTION))
    order = tiny_order(loras=[Lora(name="glow", weight=1.0)])
    plain, other = await drawn(home, order), await drawn(home, order, Tuning(offload=offload))
    assert (other.data, other.versions) == (plain.data, plain.versions)


def test_the_part_that_is_called_takes_its_seat_and_those_called_longest_ago_leave():
    # Where parts wait is "meta" here, which keeps no numbers: it shows who is away, and nobody comes back from it.
    parts = {name: torch.nn.Linear(4, 4) for name in ("text_encoder", "text_encoder_2", "unet")}
    size = sum(parameter.nbytes for parameter in parts["unet"].parameters())
    PartOffloader(parts, torch.device("cpu"), room=2 * size, home="meta")

    def away() -> set[str]:
        return {name for name, part in parts.items() if part.weight.device.type == "meta"}

    for name, expected in (
        ("text_encoder", set()),
        ("text_encoder_2", set()),
        ("text_encoder", set()),
        ("unet", {"text_encoder_2"}),
        ("unet", {"text_encoder_2"}),
    ):
        parts[name](torch.ones(1, 4))
        assert away() == expected


@pytest.mark.parametrize(
    ("tuning", "device", "compilable", "said"),
    [
        (Tuning(), "cpu", True, {}),
        (Tuning(), "cuda:0", True, {"memory_format": "channels_last"}),
        (Tuning(channels_last=False, compile="inductor"), "cuda:0", True, {"compile": "inductor"}),
        (Tuning(compile="inductor", attention="flash"), "cpu", False, {"attention": "flash"}),
    ],
)
def test_a_picture_says_what_decided_its_last_bits(tuning: Tuning, device: str, compilable: bool, said: dict[str, str]):
    assert tuning.as_versions(device, compilable) == said


def test_words_of_a_strangers_picture_choose_only_what_is_known():
    assert tuning_from_versions({"compile": "os:system", "attention": "flash_hub"}, "none") == Tuning(
        channels_last=False, offload="none"
    )
