"""The registry: what comes with bottega, what a person adds, and what is said when a file is wrong."""

from pathlib import Path

import pytest

from agents.generator.registry.registry import Registry, RegistryError, load


def read(home: Path, text: str) -> Registry:
    (home / "models.toml").write_text(text, encoding="utf-8")
    return load(home / "models", home / "loras", home / "models.toml")


@pytest.mark.parametrize(
    ("model", "platform", "steps", "guidance", "span"),
    [
        ("base_sdxl", "stable_diffusion_xl", 30, 7.0, (7.0, 12.0)),
        ("base_sd35", "stable_diffusion_3_5", 28, 4.5, (4.0, 7.5)),
        ("flux_dev", "flux_1_dev", 28, 3.5, (3.0, 4.0)),
        ("flux_schnell", "flux_1_schnell", 4, 0.0, (0.0, 0.0)),
    ],
)
def test_known_models_have_the_defaults_of_their_makers(
    tmp_path: Path, model: str, platform: str, steps: int, guidance: float, span: tuple[float, float]
):
    entry = read(tmp_path, "").models[model]
    assert (entry.platform, entry.steps, entry.guidance, entry.guidance_range) == (platform, steps, guidance, span)


def test_only_models_that_take_one_say_that_they_take_a_negative_prompt(tmp_path: Path):
    models = read(tmp_path, "").models.values()
    assert {model.name for model in models if not model.negative_prompt} == {"flux_dev", "flux_schnell"}


def test_a_model_is_installed_when_its_diffusers_folder_is_there(tmp_path: Path):
    folder = tmp_path / "models" / "base_sdxl"
    folder.mkdir(parents=True)
    assert "base_sdxl" not in read(tmp_path, "").models.installed
    (folder / "model_index.json").write_text("{}")
    assert "base_sdxl" in read(tmp_path, "").models.installed


def test_a_lora_is_installed_when_its_file_is_there(tmp_path: Path):
    assert "product_lora_v3" not in read(tmp_path, "").loras.installed
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "product_lora_v3.safetensors").write_bytes(b"")
    assert "product_lora_v3" in read(tmp_path, "").loras.installed


def test_a_relative_path_counts_from_the_file_that_names_it(tmp_path: Path):
    glow = tmp_path / "mine" / "glow.safetensors"
    found = read(tmp_path, '[loras.glow]\nplatform = "pocket"\npath = "mine/glow.safetensors"')
    assert found.loras.paths["glow"] == glow
    elsewhere = read(tmp_path, f'[loras.glow]\nplatform = "pocket"\npath = "{tmp_path.parent}/glow.safetensors"')
    assert elsewhere.loras.paths["glow"] == tmp_path.parent / "glow.safetensors"


def test_a_persons_model_inherits_from_its_platform(tmp_path: Path):
    mine = read(tmp_path, '[models.mine]\nplatform = "stable_diffusion_xl"\nsteps = 12\naliases = ["m"]').models["mine"]
    assert (mine.steps, mine.guidance, mine.native_sizes[0]) == (12, 7.0, (1024, 1024))
    assert {"sdxl", "m"} <= set(mine.aliases)


def test_a_persons_file_overrides_one_field_and_keeps_the_rest(tmp_path: Path):
    changed = read(tmp_path, "[models.flux_dev]\nsteps = 20").models["flux_dev"]
    assert (changed.steps, changed.guidance, changed.source) == (20, 3.5, "black-forest-labs/FLUX.1-dev")


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ('[models.mine]\nplatform = "stable_diffusion_xl"\nstepps = 3', "models.mine.stepps", "steps"),
        ('[models.mine]\nplatform = "stable_diffusion_lx"', "models.mine.platform", "stable_diffusion_xl"),
        ("[models.mine]\nsteps = 3", "models.mine.platform", None),
        ("[models.flux_dev]\nsteps = 0", "models.flux_dev.steps", None),
        ('[models.flux_dev]\nsteps = "many"', "models.flux_dev.steps", None),
        ('[models.flux_dev]\nsampler = "Eula"', "models.flux_dev.sampler", None),
        ('[models.flux_dev]\nsampler = "DDIM"', "models.flux_dev", None),
        ("[models.flux_dev]\nguidance = 9.0", "models.flux_dev", None),
        ("[models.flux_dev]\nnative_sizes = [[1000, 1000]]", "models.flux_dev", None),
        ("[models.flux_dev]\naliases = 3", "models.flux_dev.aliases", None),
        ('[models."../up"]\nplatform = "pocket"', "models.../up.name", None),
        ('[loras.l]\nplatform = "nowhere"', "loras.l.platform", None),
        ('[lora.l]\nplatform = "pocket"', "lora", "loras"),
        ("models = 3", "models", None),
        ("[models]\nmine = 3", "models.mine", None),
        ("this is not TOML", "", None),
    ],
)
def test_a_wrong_entry_is_refused_with_file_and_field(tmp_path: Path, text: str, field: str, hint: str | None):
    with pytest.raises(RegistryError) as wrong:
        read(tmp_path, text)
    assert str(tmp_path / "models.toml") in wrong.value.body.message
    assert field in wrong.value.body.message
    assert wrong.value.body.path == (field or None)
    assert hint is None or hint in (wrong.value.body.hint or "")
