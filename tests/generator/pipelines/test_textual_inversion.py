# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false
"""Textual inversion: a word in a prompt draws by its file, and changes no prompt without it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.files.embedding_file import NotAnEmbedding, describe
from agents.generator.files.safetensors_header import Header, Tensor
from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from protocol.parameters import Region
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import install

Orders = Callable[..., Order]
LIME = Prompt(text="a red <lime> mug")


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


@pytest.fixture
def teach(home: Path) -> Callable[..., Path]:
    """Puts a file of vectors where the registry has the word."""

    def put(tensors: dict[str, torch.Tensor], token: str = "<lime>", platform: str = "stable_diffusion_1_5") -> Path:
        (home / "embeddings").mkdir(exist_ok=True)
        save_file(tensors, home / "embeddings" / "green.safetensors")
        with (home / "models.toml").open("a") as file:
            file.write(f'[embeddings.green]\nplatform = "{platform}"\ntoken = "{token}"\n')
        return home / "embeddings" / "green.safetensors"

    return put


def vectors(count: int, width: int = 16) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("tensors", [{"<lime>": vectors(1)[0]}, {"emb_params": vectors(3)}], ids=["one", "several"])
async def test_a_word_draws_what_the_plain_pipeline_draws_with_it(
    engine: DiffusersEngine, tiny_order: Orders, tiny_folder: Path, teach: Callable[..., Path], tensors: dict
):
    before = await made(engine, tiny_order(prompt=LIME))
    file = teach(tensors)
    other = await made(engine, tiny_order())
    ours = await made(engine, tiny_order(prompt=LIME))
    assert ours.data != before.data
    assert (ours.model_version or "").count("+") == 1
    assert (await made(engine, tiny_order())).data == other.data

    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    plain.scheduler = DPMSolverMultistepScheduler.from_config(plain.scheduler.config, use_karras_sigmas=True)
    plain.load_textual_inversion({"<lime>": next(iter(tensors.values()))}, token="<lime>")
    generator = torch.Generator("cpu").manual_seed(7)
    theirs = plain(LIME.text, width=64, height=64, num_inference_steps=4, guidance_scale=5.0, generator=generator)
    assert np.array_equal(pixels(ours), np.asarray(theirs.images[0]))
    assert file.is_file()


async def test_a_word_in_the_negative_prompt_is_learnt_too(
    engine: DiffusersEngine, tiny_order: Orders, teach: Callable[..., Path]
):
    teach({"emb_params": vectors(2)}, token="BadHands")
    plain = await made(engine, tiny_order(prompt=Prompt(text="a mug")))
    better = await made(engine, tiny_order(prompt=Prompt(text="a mug", negative="badhands")))
    region = Region(prompt="BadHands", box=[0, 0, 1, 1])
    assert [word.token for word in tiny_order(regions=[region]).textual_inversions] == ["BadHands"]
    assert plain.data != better.data


async def test_both_encoders_of_sdxl_are_taught(
    engine: DiffusersEngine, home: Path, job: Callable[..., Job], teach: Callable[..., Path]
):
    name = install(home / "models", "stable_diffusion_xl")
    teach({"clip_l": vectors(2), "clip_g": vectors(2, 32)}, platform="stable_diffusion_xl")
    known = registry.load(home / "models", home / "loras", home / "models.toml")
    drawn = [
        await made(
            engine,
            order_of(job(platform="stable_diffusion_xl", model=name, sampler="Euler", prompt=Prompt(text=text)), known),
        )
        for text in ("a red mug", "a red <lime> mug", "a red mug")
    ]
    assert drawn[0].data == drawn[2].data
    assert drawn[0].data != drawn[1].data


@pytest.mark.parametrize(
    "tensors",
    [{"<lime>": vectors(1, 24)[0]}, {"<lime>": torch.full((1, 16), torch.nan)}, {"a": vectors(1), "b": vectors(1)}],
)
async def test_a_file_that_does_not_fit_is_refused(
    engine: DiffusersEngine, tiny_order: Orders, teach: Callable[..., Path], tensors: dict
):
    teach(tensors)
    with pytest.raises(AcpError) as refused:
        await made(engine, tiny_order(prompt=LIME))
    assert refused.value.code == "not_installed"
    assert "<lime>" in refused.value.body.message
    assert (await made(engine, tiny_order())).data


@pytest.mark.parametrize(
    ("shapes", "token", "parts"),
    [
        ({"<lime>": (768,)}, "<lime>", (("<lime>", 0, 768),)),
        ({"emb_params": (4, 768)}, None, (("emb_params", 0, 768),)),
        ({"clip_g": (4, 1280), "clip_l": (4, 768)}, None, (("clip_g", 1, 1280), ("clip_l", 0, 768))),
    ],
)
def test_words_are_known_by_their_tensors(shapes: dict, token: str | None, parts: tuple):
    found = describe(Header({name: Tensor("F32", shape, 0, 0) for name, shape in shapes.items()}, {}, 0))
    assert (found.token, found.encoder_vectors) == (token, parts)


@pytest.mark.parametrize(
    "shapes", [{}, {"a": (1, 8), "b": (1, 8)}, {"a": (2, 2, 2)}, {"a": (76, 8)}, {"a": ()}, {"emb_params": (0, 8)}]
)
def test_what_is_no_embedding_is_told_apart(shapes: dict):
    with pytest.raises(NotAnEmbedding):
        describe(Header({name: Tensor("F32", shape, 0, 0) for name, shape in shapes.items()}, {}, 0))
