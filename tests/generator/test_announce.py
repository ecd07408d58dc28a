"""What a generator says of pictures from pictures: which models start from one, and which structure they follow."""

from pathlib import Path

import pytest

from agents.generator import announce
from agents.generator.architectures import ARCHITECTURES
from agents.generator.registry import registry
from protocol.messages import Job
from protocol.offers import AnyInfo, ControlInfo, ModelInfo, ToolInfo, infos_of
from protocol.pixels import PixelSpec
from protocol.post import RemoveArtefacts, Upscale
from tests.generator.upscale.test_upscale import save_foreign, save_network


@pytest.fixture
def known(tmp_path: Path) -> registry.Registry:
    return registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")


def announced(known: registry.Registry, kind: type[AnyInfo]) -> list[AnyInfo]:
    return infos_of(announce.announce(known, announce.Versions(), announce.Speeds()), kind)


@pytest.fixture
def models(known: registry.Registry) -> dict[str, ModelInfo]:
    return {one.name: one for one in announced(known, ModelInfo)}


@pytest.fixture
def controls(known: registry.Registry) -> dict[str, ControlInfo]:
    return {one.name: one for one in announced(known, ControlInfo)}


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("pocket", ["picture", "mask"]),
        ("base_sdxl", ["picture", "mask"]),
        ("base_sd35", ["picture", "mask"]),
        ("flux_dev", ["picture"]),
        ("kandinsky_3", []),
    ],
)
def test_a_model_says_what_it_starts_from(models: dict[str, ModelInfo], name: str, starts: list[str]):
    assert models[name].starts == starts
    assert models[name].engine == "steps"


def test_a_model_says_which_samplers_it_cannot_use(models: dict[str, ModelInfo]):
    assert "DPM++ 2M Karras" in (models["flux_dev"].unfit_samplers or [])
    assert "DPM++ 2M Karras" not in (models["base_sdxl"].unfit_samplers or [])


def test_the_pocket_models_controlnet_is_there_and_finds_edges_itself(controls: dict[str, ControlInfo]):
    assert controls["canny_pocket"].installed
    assert (controls["canny_pocket"].install, controls["canny_pocket"].prepare) == (None, None)


def test_another_says_how_to_get_it_and_what_makes_its_maps(controls: dict[str, ControlInfo]):
    depth = controls["depth_sdxl"]
    assert not depth.installed
    assert "depth_sdxl" in (depth.install or "")
    assert "bottega models pull depth" in (depth.prepare or "")


def test_what_makes_maps_is_looked_for_among_the_tools(tmp_path: Path):
    folder = tmp_path / "tools" / "depth"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    prepare = {one.name: one.prepare for one in announced(known, ControlInfo)}
    assert prepare["depth_sd15"] is prepare["normal_sd15"] is None
    assert prepare["pose_sd15"] is not None


def test_networks_are_announced_with_their_scale_and_why_they_cannot_be_used(tmp_path: Path):
    (tmp_path / "tools").mkdir()
    save_network(tmp_path / "tools" / "x2.safetensors", doublings=1)
    for name in ("foreign", "broken"):
        save_foreign(tmp_path / "tools" / f"{name}.safetensors")
    (tmp_path / "models.toml").write_text(
        '[tools.x2]\nkind = "upscaler"\n[tools.broken]\nkind = "upscaler"\n[tools.away]\nkind = "upscaler"\n'
        '[tools.foreign]\nkind = "face_restorer"\nscale = 1\n'
    )
    known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    found = {one.name: one for one in announced(known, ToolInfo)}
    assert {name: (one.installed, one.scale) for name, one in found.items()} == {
        "lanczos": (True, 8),
        "x2": (True, 2),
        "broken": (False, 1),
        "away": (False, 1),
        "foreign": (False, 1),
    }
    assert "bottega[restore]" in (found["foreign"].install or "")
    assert "put the file at" in (found["away"].install or "")


def test_the_time_of_a_step_is_that_of_a_megapixel_of_what_came_of_it(known: registry.Registry):
    speeds = announce.Speeds()
    job = Job(
        pixels=PixelSpec(
            prompt="",
            seed=0,
            width=500,
            height=250,
            steps=1,
            guidance=1.0,
            sampler="Euler",
            model="pocket",
            post=[Upscale(model="x2", scale=2.0), RemoveArtefacts(model="clean"), RemoveArtefacts(model="clean")],
        ),
        hash="a",
        client_id="a",
        index=0,
        attempt=1,
        image_id="a",
        platform="pocket",
    )
    speeds.note_stages(job, {"denoise": 9.0, "upscale": 2.0, "artefact_removal": 7.0})
    assert (speeds.seconds_per_megapixel("x2"), speeds.seconds_per_megapixel("clean")) == (4.0, None)


def test_every_class_that_is_named_is_one_of_diffusers():
    import diffusers

    for family in ARCHITECTURES.values():
        for kind in (family.denoiser, *family.shared_models, family.pipelines.sequence):
            assert kind is None or hasattr(diffusers, kind)
        for picture in (False, True):
            for along in (False, True):
                name = family.pipelines.class_for(picture=picture, along=along)
                assert name is None or hasattr(diffusers, name)
