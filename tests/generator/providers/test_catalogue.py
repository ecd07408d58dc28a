"""Hosted models in the registry, what is announced of them, and what every provider in the catalogue has."""

from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from agents.generator.agent import build
from agents.generator.announce import Speeds, Versions, announce
from agents.generator.engines.choice import ENGINES
from agents.generator.orders.hosted_order import hosted_order_of
from agents.generator.providers.catalogue import CATALOGUE
from agents.generator.providers.provider import provider_module
from agents.generator.registry.hosted import HostedModel
from agents.generator.registry.registry import Registry, RegistryError, load
from agents.shared.settings import Settings
from protocol.commands import Lora
from protocol.errors import AcpError, Refused
from protocol.messages import Job
from protocol.offers import ModelInfo, infos_of
from protocol.pixels import PixelSpec
from protocol.sources import ImagePrompt, InitImage

HERE = "tests.generator.providers"
FAKES = {"atelier": f"{HERE}.atelier", "foundry": f"{HERE}.foundry"}

MINE = """
[models.mine]
provider = "atelier"
vendor_model = "atelier-9"
aliases = ["Atelier Nine"]
sizes = [[1024, 1024], [1536, 1024]]
free_sizes = true
multiple_of = 16
max_pixels = 8294400
aspect_ratios = ["1:1", "3:2"]
negative_prompt = false
seed = true
start_image = true
mask = true
references = 4
price_micros = 53000
licence = "Atelier's terms"
commercial = "yes"
priority = 3
"""


def read(home: Path, text: str = "") -> Registry:
    (home / "models.toml").write_text(text)
    return load(home / "models", home / "loras", home / "models.toml", FAKES)


def job(**fields: object) -> Job:
    values: dict[str, object] = {
        "prompt": "", "seed": 0, "width": 128, "height": 128, "steps": 1, "guidance": 0.0, "sampler": "none",
        "model": "atelier_one",
    }  # fmt: skip
    return Job(
        hash="a",
        client_id="a",
        index=0,
        attempt=1,
        image_id="a",
        pixels=PixelSpec(**(values | fields)),  # pyright: ignore[reportArgumentType]
        platform="atelier",
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_provider_in_the_catalogue_has_what_a_provider_has(name: str, tmp_path: Path) -> None:
    module = provider_module(name, CATALOGUE)
    known = load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml", {name: CATALOGUE[name]})

    assert isinstance(module.NEEDS_KEY, bool)
    assert callable(module.connect)
    assert set(known.hosted) == set(module.MODELS)


def test_the_setting_and_the_table_of_engines_name_the_same() -> None:
    assert set(get_args(Settings.model_fields["generator"].annotation)) == set(ENGINES)


def test_a_model_with_a_provider_is_a_hosted_one_without_folder_or_architecture(tmp_path: Path) -> None:
    known = read(tmp_path, MINE)

    assert isinstance(known.hosted["mine"], HostedModel)
    assert "mine" not in known.models
    assert (known.hosted["mine"].vendor_model, known.hosted["mine"].platform) == ("atelier-9", "atelier")


def test_a_person_overrides_one_field_of_a_model_that_its_provider_knows(tmp_path: Path) -> None:
    changed = read(tmp_path, "[models.atelier_one]\nprice_micros = 7").hosted["atelier_one"]

    assert (changed.price_micros, changed.vendor_model) == (7, "atelier-1")


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ('[models.m]\nprovider = "ateleir"', "models.m.provider", "atelier"),
        ('[models.m]\nprovider = "atelier"', "models.m.sizes", None),
        (MINE + 'dtype = "float16"', "models.mine.dtype", None),
        (MINE.replace("[1536, 1024]", "[1530, 1024]"), "models.mine", None),
        (MINE.replace('"3:2"', '"wide"'), "models.mine.aspect_ratios.1", None),
        (MINE + "[platforms.atelier]\nsteps = 3", "platforms.atelier", None),
    ],
)
def test_a_wrong_hosted_entry_is_refused_with_its_field(
    tmp_path: Path, text: str, field: str, hint: str | None
) -> None:
    with pytest.raises(RegistryError) as wrong:
        read(tmp_path, text)

    assert wrong.value.body.path == field
    assert hint is None or hint in (wrong.value.body.hint or "")


def test_a_hosted_model_is_announced_with_provider_and_price_and_is_here_once_it_is_asked(tmp_path: Path) -> None:
    def announced(known: Registry) -> ModelInfo:
        infos = infos_of(announce(known, Versions(), Speeds()), ModelInfo)
        return next(info for info in infos if info.name == "mine")

    known = read(tmp_path, MINE)
    absent, here = announced(known), announced(known.with_providers_alone(["atelier"]))

    assert (absent.installed, here.installed, here.install) == (False, True, None)
    assert "provider_keys.atelier" in (absent.install or "")
    assert (here.provider, here.price_micros, here.engine, here.references) == ("atelier", 53000, None, 4)
    assert (here.starts, here.max_pixels, here.multiple_of) == (["picture", "mask"], 8294400, 16)


def test_a_process_of_providers_reads_the_queues_of_all_of_them_and_of_nothing_else(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, generator="hosted", provider_keys={"foundry": SecretStr("key")})

    assert build(settings, FAKES).platforms == ["atelier", "foundry"]


def test_a_provider_without_its_key_is_not_asked(tmp_path: Path) -> None:
    alone = {"foundry": FAKES["foundry"]}

    assert build(Settings(home=tmp_path, generator="hosted"), FAKES).platforms == ["atelier"]
    with pytest.raises(Refused) as refused:
        build(Settings(home=tmp_path, generator="hosted"), alone)
    assert "foundry" in refused.value.body.message


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"width": 100}, "$.job.pixels.width"),
        ({"loras": [Lora(name="neon")]}, "$.job.pixels.loras"),
        ({"image_prompts": [ImagePrompt(blob="0" * 64, role="style", adapter=None)]}, "$.job.pixels.image_prompts"),
        ({"init_image": InitImage(blob="0" * 64, strength=0.5)}, "$.job.pixels.init_image"),
    ],
)
def test_what_a_hosted_model_does_not_take_is_refused_before_anything_is_paid(
    tmp_path: Path, fields: dict[str, object], path: str
) -> None:
    known = read(tmp_path).with_providers_alone(["atelier"])
    with pytest.raises(AcpError) as refused:
        hosted_order_of(job(**fields), known)

    assert refused.value.body.path == path
    assert not refused.value.retryable


def test_a_model_of_a_provider_that_is_not_asked_here_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        hosted_order_of(job(), read(tmp_path))

    assert refused.value.code == "not_installed"
    assert "BOTTEGA_GENERATOR=hosted" in (refused.value.body.hint or "")


def test_a_hosted_model_is_given_the_words_of_a_prompt_without_its_weights(tmp_path: Path) -> None:
    known = read(tmp_path).with_providers_alone(["atelier"])
    syntax = {"prompt": r"a (red:1.4) mug \(new\)", "negative_prompt": "[text]"}

    weighed = hosted_order_of(job(**syntax, prompt_syntax="weights"), known).job.pixels
    assert (weighed.prompt, weighed.negative_prompt) == ("a red mug (new)", "text")
    assert hosted_order_of(job(**syntax), known).job.pixels.prompt == syntax["prompt"]
    with pytest.raises(AcpError) as refused:
        hosted_order_of(job(prompt_syntax="haiku"), known)
    assert refused.value.body.path == "$.job.pixels.prompt_syntax"
