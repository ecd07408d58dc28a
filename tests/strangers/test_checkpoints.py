# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Single-file checkpoints as strangers have them (`checkpoints.toml`): what is told when they are added, what they
draw, and in which words a folder that cannot be loaded is refused."""

import asyncio
import json
import tomllib
from collections.abc import Callable, Mapping
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
from agents.generator.pipelines.resident import ResidentPipelines
from agents.generator.registry.entries import LocalModel
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.pixels import PixelSpec
from tests.generator.conftest import one_thread as one_thread
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


def order_for(name: str, library: ModelLibrary, sampler: str = "Euler") -> Order:
    job = Job(
        hash="gen_batch_1",
        client_id="local",
        index=0,
        attempt=1,
        image_id="gen_batch_1_000000",
        pixels=PixelSpec(
            prompt="a red mug", seed=7, width=64, height=64, steps=3, guidance=5.0, sampler=sampler, model=name
        ),
        platform=platform_of(name),
    )
    return order_of(job, library.load_registry())


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


@pytest.fixture(scope="session")
def drawn(
    library: ModelLibrary, additions: Mapping[str, Addition | AcpError], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, np.ndarray]:
    """The picture of each file that was accepted."""
    assert additions

    async def draw_all() -> dict[str, np.ndarray]:
        engine = DiffusersEngine("cpu", 1, tmp_path_factory.mktemp("engine"))
        async with engine.open():
            return {name: pixels(await made(engine, order_for(name, library))) for name in ACCEPTED}

    return asyncio.run(draw_all())


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_checkpoint_that_is_accepted_draws_what_it_should(name: str, drawn: Mapping[str, np.ndarray]) -> None:
    assert drawn[name].std() > 0
    if like := CASES[name].get("draws"):
        assert np.array_equal(drawn[name], drawn[like])


@pytest.mark.parametrize("name", ["sd_vpred", "xl_vpred"])
def test_a_model_that_predicts_velocity_draws_what_diffusers_draws_with_its_scheduler(
    name: str, library: ModelLibrary, drawn: Mapping[str, np.ndarray]
) -> None:
    wanted = order_for(name, library)
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
        num_inference_steps=pixels_of.steps,
        guidance_scale=pixels_of.guidance,
        generator=torch.Generator("cpu").manual_seed(pixels_of.seed),
    )
    assert np.array_equal(drawn[name], np.asarray(theirs.images[0]))
    assert not np.array_equal(drawn[name], drawn[name.replace("vpred", "plain")])


@pytest.mark.usefixtures("additions")
def test_how_a_model_is_sampled_is_part_of_its_version(library: ModelLibrary) -> None:
    wanted = order_for("xl_vpred", library)
    assert wanted.weights[0].settings == "prediction_type=v_prediction rescale_betas_zero_snr=True"
    assert order_for("xl_plain", library).weights[0].settings == ""


@pytest.mark.usefixtures("additions")
def test_a_sampler_that_cannot_begin_from_noise_alone_is_refused_with_one_that_can(library: ModelLibrary) -> None:
    with pytest.raises(AcpError, match="zero terminal SNR") as refused:
        order_for("xl_vpred", library, "Heun")
    assert "Euler" in (refused.value.body.hint or "")
    assert order_for("sd_vpred", library, "Heun")


def test_a_scheduler_with_infinity_in_it_is_read(library: ModelLibrary, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    pipeline = tiny_pipeline()
    pipeline.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.save_pretrained(folder)

    assert "-Infinity" in (folder / "scheduler" / "scheduler_config.json").read_text()
    assert recognise(folder).platform == "stable_diffusion_1_5"
    assert ResidentPipelines(torch.device("cpu")).get(library.load_registry().models["base_sd15"], folder)


def test_what_a_copied_configuration_says_of_another_models_training_is_forgotten(
    checkpoints: Path, tmp_path: Path
) -> None:
    library = ModelLibrary(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    base = install(library.models, "stable_diffusion_1_5")
    file = library.models / base / "scheduler" / "scheduler_config.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}))
    added = add(library, checkpoints / "sd_plain.safetensors", None, "stable_diffusion_1_5", nowhere)

    copied = json.loads((added.path / "scheduler" / "scheduler_config.json").read_text())
    assert copied == said | {"prediction_type": "epsilon", "rescale_betas_zero_snr": False}


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
def test_a_folder_that_cannot_be_loaded_is_refused_in_words(
    harm: Callable[[Path], None], says: str, seen_at_add: bool, library: ModelLibrary, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    tiny_pipeline().save_pretrained(folder)
    harm(folder)
    model = library.load_registry().models["base_sd15"]

    with pytest.raises(AcpError) as refused:
        ResidentPipelines(torch.device("cpu")).get(model, folder)
    assert refused.value.code == "not_installed"
    assert says in refused.value.body.message
    assert refused.value.body.hint
    if seen_at_add:
        with pytest.raises(AcpError, match=says) as at_add:
            recognise(folder)
        assert at_add.value.code == "not_installed"
