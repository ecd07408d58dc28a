# pyright: basic, reportPrivateImportUsage=false
"""`bottega models`: what is known, fetched from a hub on a real socket, added from files, removed."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import agents.pocket
from agents.generator.pipelines.annotators import Annotator
from agents.generator.registry.registry import BUILT_IN_FILE
from agents.generator.registry.samplers import SAMPLERS
from agents.pocket.paths import SCORER
from tests.doors.cli.conftest import Home
from tests.generator import tiny_ip_adapter
from tests.generator.conftest import tiny_pipeline, tiny_unet
from tests.generator.control.test_control import tiny_depth
from tests.generator.fake_hub import COMMIT, FakeHub, fake_hub
from tests.generator.single_file import original

POCKET = Path(agents.pocket.__file__ or "").parent
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
PINNED = "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"


def pinned() -> set[str]:
    """The commits at which the registry pulls."""
    tables = tomllib.loads(BUILT_IN_FILE.read_text(encoding="utf-8")).values()
    return {entry["revision"] for table in tables for entry in table.values() if "revision" in entry}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "tiny"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def hub(tiny: Path) -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add(SD15, tiny)
        hub.add("someone/my.model", tiny)
        hub.revisions = {"main", PINNED, *pinned()}
        yield hub


def said(home: Home, *arguments: str, **environment: str) -> dict:
    done = home.run("models", *arguments, "--json", **environment)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def refusal(home: Home, *arguments: str, **environment: str) -> dict:
    done = home.run("models", *arguments, "--json", **environment)
    assert done.returncode in (2, 3)
    return json.loads(done.stdout)["error"]


def test_models_alone_and_list_say_the_same(home: Home):
    assert home.run("models", "--json").stdout == home.run("models", "list", "--json").stdout
    assert "bottega models pull" in home.run("models", "list").stdout


def test_a_known_model_is_pulled_at_its_pinned_commit_and_shown(home: Home, hub: FakeHub):
    assert not said(home, "show", "base_sd15")["installed"]

    pulled = said(home, "pull", "base_sd15", BOTTEGA_HUB_URL=hub.url)

    assert hub.revisions_asked == [PINNED]
    assert pulled["commit"] == COMMIT
    assert pulled["fetched"] > 0
    shown = said(home, "show", "base_sd15")
    assert (shown["installed"], shown["commit"], shown["revision"]) == (True, COMMIT, PINNED)
    assert (shown["path"], shown["disk_bytes"]) == (pulled["path"], pytest.approx(pulled["fetched"], rel=0.05))
    assert said(home, "pull", "base_sd15", BOTTEGA_HUB_URL=hub.url)["fetched"] == 0
    assert said(home, "path", "base_sd15") == {"path": pulled["path"]}


def test_a_file_that_changed_is_found_by_its_hash(home: Home, hub: FakeHub, tmp_path: Path):
    folder = Path(said(home, "pull", "base_sd15", BOTTEGA_HUB_URL=hub.url)["path"])
    assert said(home, "show", "base_sd15", "--verify")["verified_files"] > 3
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert str(weights) in refusal(home, "show", "base_sd15", "--verify")["message"]

    save_file({"emb_params": torch.zeros(1, 768)}, tmp_path / "word.safetensors")
    said(home, "add", str(tmp_path / "word.safetensors"))
    assert said(home, "show", "word", "--verify")["verified_files"] == 1
    save_file({"emb_params": torch.ones(1, 768)}, home.folder / "embeddings" / "word.safetensors")
    assert "word.safetensors" in refusal(home, "show", "word", "--verify")["message"]
    assert said(home, "show", "pocket", "--verify")["verified_files"] == 0


def test_any_repository_becomes_known_at_the_commit_that_was_pulled(home: Home, hub: FakeHub):
    pulled = said(home, "pull", "someone/my.model", BOTTEGA_HUB_URL=hub.url)
    shown = said(home, "show", "my_model")
    assert pulled["name"] == "my_model"
    assert (shown["platform"], shown["source"], shown["revision"]) == (
        "stable_diffusion_1_5",
        "someone/my.model",
        COMMIT,
    )
    assert refusal(home, "pull", "someone/my.model", BOTTEGA_HUB_URL=hub.url)["hint"]


def test_a_scorer_is_pulled_by_name_calibrated_and_pinned_to_the_commit_that_came(home: Home, hub: FakeHub):
    with fake_hub() as other:
        other.add("google/siglip2-base-patch16-224", SCORER)
        other.revisions = {"main"}
        early = refusal(home, "calibrate", "siglip2")
        assert early["hint"].startswith("bottega models pull siglip2")
        pulled = said(home, "pull", "siglip2", BOTTEGA_HUB_URL=other.url)
    folder = Path(pulled["path"])
    assert pulled["commit"] == COMMIT
    assert (folder / "tokenizer.json").is_file()
    assert not (folder / "calibration.json").exists()

    done = said(home, "calibrate", "siglip2", "--pairs", "40")

    assert done["preferred"] > 0.8
    assert done["right"] > 0.7 > 0.4 > done["wrong"]
    assert (folder / "calibration.json").is_file()
    assert "prefers the right text in" in home.run("models", "calibrate", "siglip2", "--pairs", "20").stdout
    assert "siglip2" in refusal(home, "calibrate", "siglip")["hint"]


def test_a_controlnet_is_pulled_shown_and_removed(home: Home, hub: FakeHub):
    hub.add("lllyasviel/control_v11p_sd15_canny", POCKET / "adapters" / "canny")
    pulled = said(home, "pull", "canny_sd15", BOTTEGA_HUB_URL=hub.url)
    shown = said(home, "show", "canny_sd15", "--verify")
    assert (shown["installed"], shown["path"], shown["platform"]) == (True, pulled["path"], "stable_diffusion_1_5")
    assert shown["verified_files"] == 2
    assert said(home, "remove", "canny_sd15")["freed"] > 0
    assert not said(home, "show", "canny_sd15")["installed"]


def test_an_ip_adapter_is_pulled_with_what_looks_at_pictures_shown_and_removed(
    home: Home, hub: FakeHub, tmp_path: Path
):
    tiny_ip_adapter.install(tmp_path / "models", tiny_unet())
    (tmp_path / "models" / "ip_adapter.safetensors").rename(tmp_path / "models" / "ip-adapter_sd15.safetensors")
    hub.add("h94/IP-Adapter", tmp_path)

    pulled = said(home, "pull", "ip_adapter_sd15", BOTTEGA_HUB_URL=hub.url)

    shown = said(home, "show", "ip_adapter_sd15", "--verify")
    assert (shown["installed"], shown["path"], shown["verified_files"]) == (True, pulled["path"], 3)
    assert shown["kind"] == "IP-Adapter for style, subject, character"
    assert said(home, "remove", "ip_adapter_sd15")["freed"] > 0


def test_a_tool_is_pulled_without_code_and_pickles(home: Home, hub: FakeHub, tmp_path: Path):
    tiny_depth(tmp_path / "depth")
    hub.add("depth-anything/Depth-Anything-V2-Small-hf", tmp_path / "depth")
    files = hub.repositories["depth-anything/Depth-Anything-V2-Small-hf"]
    files |= {"pytorch_model.bin": b"pickle", "model.py": b"raise SystemExit"}

    pulled = said(home, "pull", "depth", BOTTEGA_HUB_URL=hub.url)

    assert {path for path, _ in hub.asked} == {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert said(home, "show", "depth")["kind"] == "depth"
    Annotator("depth", Path(pulled["path"]), torch.device("cpu"))
    said(home, "remove", "depth")
    files["config.json"] = json.dumps(json.loads(files["config.json"]) | {"auto_map": {"AutoModel": "m.M"}}).encode()
    assert "code" in refusal(home, "pull", "depth", BOTTEGA_HUB_URL=hub.url)["message"]


def test_a_single_file_is_added_with_the_configuration_of_the_hub_and_removed(home: Home, hub: FakeHub, tmp_path: Path):
    file = tmp_path / "Dream Shaper.safetensors"
    save_file({**original(tiny_pipeline()), "v_pred": torch.zeros(0)}, file)

    added = said(home, "add", str(file), "--platform", "sd15", BOTTEGA_HUB_URL=hub.url)

    assert (added["name"], added["kind"]) == ("Dream_Shaper", "checkpoint")
    assert added["notes"] == ["it predicts velocity (v-prediction): sampled so"]
    assert not any(path.endswith(".safetensors") for path, _ in hub.asked)
    shown = said(home, "show", "Dream_Shaper")
    assert shown["installed"]
    assert len(shown["sha256"]) == 64
    removed = said(home, "remove", "Dream_Shaper")
    assert removed["freed"] >= file.stat().st_size
    assert "not_installed" in refusal(home, "show", "Dream_Shaper")["code"]


@pytest.mark.parametrize(
    ("arguments", "word", "hint"),
    [
        (["pull", "base_sdd15"], "base_sdd15", "base_sd15"),
        (["pull", "pocket_"], "pocket_", "pocket"),
        (["pull", "nobody/nothing"], "nobody/nothing", "name"),
        (["pull", "someone/my.model", "--platform", "sdlx"], "sdlx", "sdxl"),
        (["show", "pockett"], "pockett", "pocket"),
        (["remove", "pocket"], "pocket", "comes with bottega"),
        (["add", "/nowhere.safetensors"], "/nowhere.safetensors", "path"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(home: Home, hub: FakeHub, arguments: list[str], word: str, hint: str):
    error = refusal(home, *arguments, BOTTEGA_HUB_URL=hub.url)
    assert word in error["message"]
    assert hint in error["hint"]
    assert not hub.asked


def test_a_hub_out_of_reach_may_work_later_and_a_token_is_not_repeated(home: Home):
    nobody = {"BOTTEGA_HUB_URL": "http://127.0.0.1:1", "BOTTEGA_HUB_TOKEN": "hf_secret"}
    done = home.run("models", "pull", "base_sd15", **nobody)
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert "hf_secret" not in done.stderr + done.stdout


def test_samplers_are_listed_by_name_with_what_they_are(home: Home):
    listed = {one["name"]: one for one in said(home, "samplers")["samplers"]}
    assert set(listed) == {sampler.name for sampler in SAMPLERS}
    assert listed["Euler a"]["ancestral"]
    assert "flux" in listed["Euler"]["architectures"]
    assert "flux" not in listed["DDIM"]["architectures"]
    assert "dpmpp_2m_karras" in listed["DPM++ 2M Karras"]["aliases"]
    shown = home.run("models", "samplers").stdout
    assert all(name in shown for name in listed)
