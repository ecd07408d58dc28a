# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Single-file checkpoints as strangers have them (`checkpoints.toml`): what is told when they are added, what they
draw, and in which words a folder that cannot be loaded is refused."""

import json
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.files.checkpoint_file import SINGLE_FILE
from agents.generator.library.install import Addition, ModelLibrary, add
from agents.generator.library.recognise import recognise
from agents.generator.library.verify import verify_files
from agents.generator.orders.order import Order, order_of
from agents.generator.registry.entries import LocalModel
from protocol.errors import AcpError
from protocol.messages import Job
from tests.generator.conftest import broken_order as broken_order
from tests.generator.conftest import home as home
from tests.generator.conftest import job as job
from tests.generator.conftest import load as load
from tests.generator.conftest import one_thread as one_thread
from tests.generator.conftest import tiny_folder as tiny_folder
from tests.generator.conftest import tiny_order as tiny_order
from tests.generator.conftest import tiny_pipeline
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import PLATFORMS, install
from tests.strangers.make_checkpoints import make_checkpoints

CASES = tomllib.loads(Path(__file__).with_name("checkpoints.toml").read_text())
ACCEPTED = [name for name, case in CASES.items() if case["outcome"] != "refused"]


def platform_of(name: str) -> str:
    return "stable_diffusion_xl" if name.startswith("xl") else "stable_diffusion_1_5"


def nowhere(model: LocalModel, folder: Path) -> None:
    raise AssertionError(f"asked the hub for {model.name}")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    make_checkpoints(folder)
    return folder


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    """A home with a tiny model of each platform, whose configuration single files take."""
    root = tmp_path_factory.mktemp("library")
    for platform in ("stable_diffusion_1_5", "stable_diffusion_xl"):
        install(root / "models", platform)
    return ModelLibrary(root / "models", root / "loras", root / "models.toml")


@pytest.fixture(scope="session")
def additions(library: ModelLibrary, checkpoints: Path) -> Mapping[str, Addition | AcpError]:
    """What became of each file when it was added."""
    found: dict[str, Addition | AcpError] = {}
    for name in CASES:
        try:
            found[name] = add(library, checkpoints / f"{name}.safetensors", None, platform_of(name), nowhere)
        except AcpError as refusal:
            found[name] = refusal
    return found


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        yield engine


def order_for(name: str, library: ModelLibrary, job: Callable[..., Job], **fields: object) -> Order:
    small = {"platform": platform_of(name), "steps": 3, "sampler": "Euler", "model": name}
    return order_of(job(**(small | fields)), library.load_registry())


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_is_accepted_or_refused_in_words_when_it_is_added(
    name: str, additions: Mapping[str, Addition | AcpError], checkpoints: Path, library: ModelLibrary
) -> None:
    case, found = CASES[name], additions[name]
    if case["outcome"] == "refused":
        assert isinstance(found, AcpError)
        assert found.code == "not_installed"
        assert found.body.hint
        said = f"{found.body.message} {found.body.hint}"
        assert not (library.models / name).exists()
    else:
        assert isinstance(found, Addition)
        said = " ".join(found.notes)
        entry = library.load_registry().models[name]
        assert (entry.prediction, entry.zero_snr) == (case.get("prediction"), case.get("zero_snr"))
        assert verify_files(found.path, entry.sha256) == (1, [])
        kept = (found.path / SINGLE_FILE).read_bytes() == (checkpoints / f"{name}.safetensors").read_bytes()
        assert kept == (case["outcome"] == "accepted")
    assert [words for words in case.get("says", []) if words not in said] == []
    assert said or not case.get("says")


@pytest.mark.usefixtures("additions")
async def test_checkpoints_that_are_accepted_draw_what_they_should(
    engine: DiffusersEngine, library: ModelLibrary, job: Callable[..., Job]
) -> None:
    drawn = {name: pixels(await made(engine, order_for(name, library, job))) for name in ACCEPTED}

    wrong = [
        name
        for name in ACCEPTED
        if (like := CASES[name].get("draws")) is not None and not np.array_equal(drawn[name], drawn[like])
    ]
    assert wrong == []
    assert all(picture.std() > 0 for picture in drawn.values())


@pytest.mark.parametrize(("name", "sampler"), [("sd_vpred", "DPM++ 2M Karras"), ("xl_vpred", "Euler")])
@pytest.mark.usefixtures("additions")
async def test_a_model_that_predicts_velocity_draws_what_diffusers_draws_with_its_scheduler(
    name: str, sampler: str, engine: DiffusersEngine, library: ModelLibrary, job: Callable[..., Job]
) -> None:
    wanted = order_for(name, library, job, sampler=sampler)
    ours = await made(engine, wanted)

    base = library.models / PLATFORMS[platform_of(name)][0]
    plain: Any = diffusers.DiffusionPipeline.from_pretrained(base, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    said = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": name == "xl_vpred"}
    scheduler = getattr(diffusers, wanted.scheduler.name)
    plain.scheduler = scheduler.from_config({**plain.scheduler.config, **said}, **wanted.scheduler.options)
    pixels_of = wanted.job.pixels
    theirs = plain(
        pixels_of.prompt,
        width=64,
        height=64,
        num_inference_steps=3,
        guidance_scale=pixels_of.guidance,
        generator=torch.Generator("cpu").manual_seed(pixels_of.seed),
    )
    noise = await made(engine, order_for(name.replace("vpred", "plain"), library, job, sampler=sampler))
    assert np.array_equal(pixels(ours), np.asarray(theirs.images[0]))
    assert not np.array_equal(pixels(ours), pixels(noise))


@pytest.mark.usefixtures("additions")
def test_how_a_model_is_sampled_is_part_of_its_version(library: ModelLibrary, job: Callable[..., Job]) -> None:
    wanted = order_for("xl_vpred", library, job)
    assert wanted.weights[0].settings == "prediction_type=v_prediction rescale_betas_zero_snr=True"
    assert order_for("xl_plain", library, job).weights[0].settings == ""


@pytest.mark.usefixtures("additions")
def test_a_sampler_that_cannot_begin_from_noise_alone_is_refused_with_one_that_can(
    library: ModelLibrary, job: Callable[..., Job]
) -> None:
    with pytest.raises(AcpError, match="zero terminal SNR") as refused:
        order_for("xl_vpred", library, job, sampler="Heun")
    assert "Euler" in (refused.value.body.hint or "")
    assert order_for("sd_vpred", library, job, sampler="Heun")


def long_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 77}))


def no_length(folder: Path) -> None:
    file = folder / "tokenizer" / "tokenizer_config.json"
    said = json.loads(file.read_text())
    del said["model_max_length"]
    file.write_text(json.dumps(said))


def other_encoder(folder: Path) -> None:
    said = CLIPTextConfig.from_pretrained(folder / "text_encoder").to_dict() | {"hidden_size": 32}
    CLIPTextModel(CLIPTextConfig(**said)).save_pretrained(folder / "text_encoder")


def few_words(folder: Path) -> None:
    said = CLIPTextConfig.from_pretrained(folder / "text_encoder").to_dict() | {"vocab_size": 40}
    CLIPTextModel(CLIPTextConfig(**said)).save_pretrained(folder / "text_encoder")


def no_scheduler(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").unlink()


def unnamed_scheduler(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    del index["scheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))


def inpainting(folder: Path) -> None:
    file = folder / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"in_channels": 9}))


def cut_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("[]")


def wrong_type(folder: Path) -> None:
    file = folder / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"block_out_channels": 7}))


@pytest.mark.parametrize(
    ("harm", "says", "seen_at_add"),
    [
        (long_tokenizer, "model_max_length 77, and text_encoder reads 32 tokens: set it to 32", True),
        (no_length, "model_max_length nothing", True),
        (other_encoder, "cross_attention_dim 16, and text_encoder give 32", True),
        (few_words, "tokenizer knows 54 words, and text_encoder 40", False),
        (no_scheduler, "scheduler", True),
        (unnamed_scheduler, "names no scheduler", True),
        (inpainting, "an inpainting model", True),
        (cut_index, "array", False),
        (wrong_type, "TypeError", False),
    ],
)
async def test_a_folder_that_cannot_be_loaded_is_refused_in_words(
    harm: Callable[[Path], None],
    says: str,
    seen_at_add: bool,
    engine: DiffusersEngine,
    broken_order: Callable[[Path], Order],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mine"
    tiny_pipeline().save_pretrained(folder)
    harm(folder)

    with pytest.raises(AcpError) as refused:
        await made(engine, broken_order(folder))
    assert refused.value.code == "not_installed"
    assert says in refused.value.body.message
    assert refused.value.body.hint
    if seen_at_add:
        with pytest.raises(AcpError, match=says) as at_add:
            recognise(folder)
        assert at_add.value.code == "not_installed"
