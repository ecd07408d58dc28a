# pyright: basic, reportPrivateImportUsage=false
"""Models from a hub on a real socket: resumed, checked, never half there, and nothing that could run code."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from diffusers import StableDiffusionPipeline

from agents.generator.library.hub import Hub
from agents.generator.library.pull import ORIGIN_FILE, pull_configuration, pull_pipeline
from protocol.errors import AcpError
from tests.generator.fake_hub import COMMIT, FakeHub, fake_hub

SOURCE = "someone/tiny"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(tiny_folder: Path) -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add(SOURCE, tiny_folder)
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "tiny"


def pulled(hub: FakeHub, folder: Path, dtype: str = "float32", token: str | None = None):
    client = Hub(hub.url, token)
    try:
        return pull_pipeline(client, SOURCE, "main", dtype, folder, lambda here, of: None)
    finally:
        client.close()


def refusal(hub: FakeHub, folder: Path, **options) -> AcpError:
    with pytest.raises(AcpError) as refused:
        pulled(hub, folder, **options)
    assert not folder.exists()
    return refused.value


def test_a_pulled_model_is_the_one_that_was_published(hub: FakeHub, folder: Path, tiny_folder: Path):
    seen: list[tuple[int, int]] = []
    client = Hub(hub.url)
    found = pull_pipeline(client, SOURCE, "main", "float32", folder, lambda here, of: seen.append((here, of)))
    client.close()

    theirs = {file.relative_to(tiny_folder): file.read_bytes() for file in tiny_folder.rglob("*") if file.is_file()}
    ours = {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert json.loads(ours.pop(Path(ORIGIN_FILE)))["commit"] == found.origin.commit == COMMIT
    assert ours == theirs
    assert seen[-1][0] == seen[-1][1]
    assert [here for here, _ in seen] == sorted(here for here, _ in seen)
    StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)


def test_a_broken_connection_is_resumed_where_it_broke(hub: FakeHub, folder: Path):
    hub.break_after = [1000]
    broken = refusal(hub, folder)
    assert broken.retryable
    before = len(hub.asked)

    found = pulled(hub, folder)

    resumed = [span for _, span in hub.asked[before:] if span]
    assert resumed == ["bytes=1000-"]
    whole = sum(file.stat().st_size for file in folder.rglob("*") if file.name != ORIGIN_FILE)
    assert found.fetched_bytes < whole
    StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)


def test_a_server_without_ranges_is_read_from_the_beginning_again(hub: FakeHub, folder: Path):
    hub.break_after, hub.ranges = [1000], False
    refusal(hub, folder)
    pulled(hub, folder)
    StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("path", [UNET, "scheduler/scheduler_config.json"])
def test_bytes_that_are_not_those_promised_are_refused_and_fetched_anew(hub: FakeHub, folder: Path, path: str):
    content = hub.repositories[SOURCE][path]
    hub.spoilt[path] = content[:-1] + bytes([content[-1] ^ 1])
    refused = refusal(hub, folder)
    assert not refused.retryable
    assert path in refused.body.message

    hub.spoilt.clear()
    pulled(hub, folder)
    assert (folder / path).read_bytes() == content


def test_more_bytes_than_promised_are_not_read_to_their_end(hub: FakeHub, folder: Path):
    hub.spoilt[UNET] = bytes(50 << 20)
    assert UNET in refusal(hub, folder).body.message
    assert not list(folder.parent.rglob("unet/*.part"))


def test_room_on_the_disk_is_looked_at_before_anything_large_is_fetched(hub: FakeHub, folder: Path):
    hub.promised[UNET] = 10**15
    refused = refusal(hub, folder)
    assert refused.code == "disk_full"
    assert "1000000.0 GB" in refused.body.message
    assert [path for path, _ in hub.asked] == ["model_index.json"]


def test_a_licence_that_was_not_accepted_is_said_with_what_to_do(hub: FakeHub, folder: Path):
    hub.token = "hf_secret"
    refused = refusal(hub, folder, token="hf_other")
    assert f"{hub.url}/{SOURCE}" in (refused.body.hint or "")
    assert "hf_" not in str(refused)
    pulled(hub, folder, token="hf_secret")


def test_a_token_does_not_follow_a_file_to_another_server(hub: FakeHub, folder: Path):
    with fake_hub() as store:
        store.repositories = hub.repositories
        hub.elsewhere, hub.token = store.url, "hf_secret"
        pulled(hub, folder, token="hf_secret")
    assert set(hub.tokens) == {"Bearer hf_secret"}
    assert set(store.tokens) == {None}
    assert UNET in {path for path, _ in store.asked}


def test_an_unknown_repository_is_refused_and_an_unreachable_hub_may_work_later(hub: FakeHub, folder: Path):
    client = Hub(hub.url)
    with pytest.raises(AcpError) as unknown:
        pull_pipeline(client, "someone/else", "main", "float32", folder, lambda here, of: None)
    client.close()
    assert not unknown.value.retryable
    nobody = Hub("http://127.0.0.1:1")
    with pytest.raises(AcpError) as unreachable:
        pull_pipeline(nobody, SOURCE, "main", "float32", folder, lambda here, of: None)
    assert unreachable.value.retryable


def test_weights_as_pickles_are_refused_without_being_fetched(hub: FakeHub, folder: Path):
    files = hub.repositories[SOURCE]
    files["unet/diffusion_pytorch_model.bin"] = pickle.dumps([1])
    pulled(hub, folder)
    assert not list(folder.rglob("*.bin"))

    del files[UNET]
    refused = refusal(hub, folder.with_name("other"))
    assert "pickle" in refused.body.message
    assert "unet" in refused.body.message


@pytest.mark.parametrize(
    "change",
    [
        {"unet": ["unet.my_unet", "MyUNet"]},
        {"_class_name": ["pipeline", "MyPipeline"]},
        {"_class_name": None},
    ],
)
def test_code_of_a_repository_is_refused(hub: FakeHub, folder: Path, change: dict):
    files = hub.repositories[SOURCE]
    files["model_index.json"] = json.dumps(json.loads(files["model_index.json"]) | change).encode()
    files["unet/my_unet.py"] = b"raise SystemExit"
    assert "code" in refusal(hub, folder).body.message
    assert [path for path, _ in hub.asked] == ["model_index.json"]


def test_a_file_that_would_lie_outside_the_folder_is_left_alone(hub: FakeHub, folder: Path):
    hub.repositories[SOURCE] |= {"unet/../../../evil.json": b"{}", "../evil.json": b"{}", "unet/a/b.json": b"{}"}
    pulled(hub, folder)
    assert not any("evil" in path or "a/b" in path for path, _ in hub.asked)


def test_half_precision_is_chosen_where_the_model_runs_in_it_and_every_part_has_it(hub: FakeHub, folder: Path):
    files = hub.repositories[SOURCE]
    halves = {path.replace(".safetensors", ".fp16.safetensors"): files[path] for path in files if "safetens" in path}
    files |= halves
    pulled(hub, folder, dtype="float16")
    assert {str(file.relative_to(folder)) for file in folder.rglob("*.safetensors")} == set(halves)
    full = folder.with_name("full")
    pulled(hub, full, dtype="bfloat16")
    assert not list(full.rglob("*.fp16.*"))


def test_the_configuration_comes_without_weights(hub: FakeHub, folder: Path):
    client = Hub(hub.url)
    pull_configuration(client, SOURCE, COMMIT, folder)
    client.close()
    assert (folder / "model_index.json").is_file()
    assert (folder / "tokenizer" / "tokenizer.json").is_file()
    assert not list(folder.rglob("*.safetensors"))
