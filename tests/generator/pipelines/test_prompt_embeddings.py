# pyright: basic, reportPrivateImportUsage=false, reportCallIssue=false, reportOptionalSubscript=false
"""Weights and long prompts: the plain pipeline's picture when it is given the same embeddings, and with the bare prompt
where it has no syntax and fits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import SINGLE_PICTURE_BUCKETS, Order
from agents.generator.pipelines.prompt_embeddings import embed_prompts
from protocol.messages import Prompt
from protocol.parameters import Region
from protocol.prompt_syntax import WEIGHTS, plain_text
from tests.generator.architectures.test_contract import drawn
from tests.generator.architectures.test_contract import orders as orders
from tests.generator.conftest import tiny_pipeline
from tests.generator.engines.test_diffusers_engine import made, pixels

Orders = Callable[..., Order]

LONG = ", ".join(["a red mug"] * 6)
"""More letters, which are the tokens of the tiny models, than the 30 that their encoders read at once."""


def weighed(wanted: Order) -> Order:
    """The order with prompts that are written in the syntax of weights."""
    return replace(wanted, job=wanted.job.with_pixels(prompt_syntax=WEIGHTS))


def plain_of(wanted: Order) -> tuple[object, dict[str, torch.Tensor] | None]:
    """The plain pipeline of an order, and the embeddings of its prompts."""
    job = wanted.job.pixels
    plain = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    plain.scheduler = getattr(diffusers, wanted.scheduler.name).from_config(
        plain.scheduler.config, **wanted.scheduler.options
    )
    with torch.no_grad():
        return plain, embed_prompts(plain, [job.prompt], job.negative_prompt or None)


def drawn_with_embeddings(wanted: Order) -> np.ndarray:
    plain, embeddings = plain_of(wanted)
    job = wanted.job.pixels
    assert embeddings is not None
    result = plain(
        **embeddings,
        width=job.width,
        height=job.height,
        num_inference_steps=job.steps,
        guidance_scale=job.guidance,
        generator=torch.Generator("cpu").manual_seed(job.seed),
    )
    return np.asarray(result.images[0])


@pytest.mark.parametrize(
    ("platform", "prompt"),
    [
        ("stable_diffusion_1_5", Prompt(text="a (red:1.6) mug", negative=LONG)),
        ("stable_diffusion_xl", Prompt(text=LONG)),
        ("stable_diffusion_xl", Prompt(text="a mug BREAK red", negative="[blue]")),
    ],
)
async def test_a_prompt_with_weights_or_of_any_length_is_the_plain_pipelines_given_its_embeddings(
    platform: str, prompt: Prompt, orders: Orders, tmp_path: Path
):
    wanted = weighed(orders(platform, prompt=prompt, steps=2))
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
    assert np.array_equal(pixels(rendering), drawn_with_embeddings(wanted))


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        ("stable_diffusion_1_5", r"\(red\) mug"),
        ("stable_diffusion_xl", "red mug"),
        ("flux_1_schnell", "(red:1.6) [mug]"),
    ],
)
async def test_a_bare_prompt_is_the_plain_pipelines_and_so_are_the_words_where_weights_do_not_act(
    platform: str, text: str, orders: Orders, tmp_path: Path
):
    wanted = weighed(orders(platform, prompt=Prompt(text=text, negative="blue"), steps=2))
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
    words = wanted.job.with_pixels(prompt=plain_text(text))
    assert np.array_equal(pixels(rendering), drawn(replace(wanted, job=words)))


async def test_a_job_without_a_syntax_is_drawn_as_0_1_0_drew_it(orders: Orders, tmp_path: Path):
    wanted = orders("stable_diffusion_1_5", prompt=Prompt(text=f"a (red:1.6) mug, {LONG}"), steps=2)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        as_then, weighted = await made(engine, wanted), await made(engine, weighed(wanted))
    assert np.array_equal(pixels(as_then), drawn(wanted))
    assert not np.array_equal(pixels(as_then), pixels(weighted))


async def test_in_company_and_with_regions_a_weighted_picture_is_what_it_is_alone(orders: Orders, tmp_path: Path):
    regions = [Region(prompt=f"a (mug:1.5), {LONG}", box=[0, 0, 0.5, 1])]
    wanted = [
        weighed(orders("stable_diffusion_1_5", prompt=Prompt(text=text), seed=seed, regions=areas, steps=2))
        for seed, (text, areas) in enumerate([("a (mug:1.5)", []), (LONG, []), ("a mug", regions)])
    ]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        alone = [await made(engine, replace(one, buckets=SINGLE_PICTURE_BUCKETS)) for one in wanted]
    for one, other in zip(crowd, alone, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(other)).max() <= 1


def test_weight_0_is_the_empty_prompt_and_unknown_to_the_other_words_and_weight_1_the_prompt_itself():
    pipeline = tiny_pipeline()
    with torch.no_grad():
        own, empty = pipeline.encode_prompt("a mug", "cpu", 1, True)
        nothing = embed_prompts(pipeline, ["(a:0) mug"], None)
        other = embed_prompts(pipeline, ["(b:0) mug"], None)
        half = embed_prompts(pipeline, ["(a:0.5) mug"], None)
        double = embed_prompts(pipeline, ["(a:2) mug"], None)
        chunks = embed_prompts(pipeline, ["a mug BREAK a mug"], "x")
    assert None not in (nothing, other, half, double, chunks)
    assert torch.equal(nothing["prompt_embeds"][:, 1], empty[:, 1])
    assert torch.allclose(nothing["prompt_embeds"][:, 2:], other["prompt_embeds"][:, 2:], atol=1e-5)
    assert torch.allclose(half["prompt_embeds"], (own + nothing["prompt_embeds"]) / 2, atol=1e-5)
    assert torch.allclose(double["prompt_embeds"][:, 1], 2 * own[:, 1] - empty[:, 1], atol=1e-5)
    assert torch.equal(double["prompt_embeds"][:, 2:], own[:, 2:])
    assert torch.equal(chunks["prompt_embeds"], torch.cat([own, own], dim=1))
    assert chunks["negative_prompt_embeds"].shape == chunks["prompt_embeds"].shape


def test_many_distinct_weights_have_the_encoder_read_a_chunk_no_oftener_than_their_steps():
    pipeline = tiny_pipeline()
    reads: list[int] = []
    pipeline.text_encoder.register_forward_hook(lambda *_: reads.append(1))
    with torch.no_grad():
        embed_prompts(pipeline, [" ".join(f"(a:0.{number:03})" for number in range(400, 470))], None)
    assert len(reads) <= 10
