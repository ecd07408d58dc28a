# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""IP-Adapters pulled from a hub as the registry names their parts, added from a folder, and removed again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.generator.library.hub import Hub
from agents.generator.library.install import ModelLibrary, add, remove
from agents.generator.library.pull import ORIGIN_FILE, pull_ip_adapter
from agents.generator.registry.entries import LocalModel
from protocol.errors import AcpError
from tests.generator import tiny_ip_adapter
from tests.generator.conftest import tiny_unet
from tests.generator.fake_hub import FakeHub, fake_hub

SOURCE = "someone/adapters"
WEIGHTS = "models/adapter.safetensors"
ENCODER = "models/image_encoder"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tiny_ip_adapter.install(tmp_path / "downloads" / "mine", tiny_unet())


@pytest.fixture
def hub(mine: Path) -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add(SOURCE, mine)
        files = hub.repositories[SOURCE]
        moved = {f"models/{path}": content for path, content in files.items()}
        moved[WEIGHTS] = moved.pop("models/ip_adapter.safetensors")
        hub.repositories[SOURCE] = moved | {"models/adapter.bin": b"a pickle", "other.safetensors": b""}
        yield hub


def pulled(hub: FakeHub, folder: Path) -> None:
    client = Hub(hub.url)
    try:
        pull_ip_adapter(client, SOURCE, "main", WEIGHTS, ENCODER, folder, told=lambda here, of: None)
    finally:
        client.close()


def test_the_parts_that_the_registry_names_are_pulled_and_nothing_else(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "ip_adapters" / "mine"
    folder.parent.mkdir()

    pulled(hub, folder)

    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert found == {WEIGHTS, f"{ENCODER}/config.json", f"{ENCODER}/model.safetensors", ORIGIN_FILE}


@pytest.mark.parametrize("lacking", [WEIGHTS, f"{ENCODER}/model.safetensors", f"{ENCODER}/config.json"])
def test_a_repository_that_lacks_a_part_is_refused_and_leaves_no_folder(
    hub: FakeHub, tmp_path: Path, lacking: str
) -> None:
    del hub.repositories[SOURCE][lacking]
    folder = tmp_path / "ip_adapters" / "mine"
    folder.parent.mkdir()

    with pytest.raises(AcpError) as refused:
        pulled(hub, folder)

    assert lacking in refused.value.body.message
    assert not folder.exists()


@pytest.fixture
def shelves(home: Path) -> ModelLibrary:
    return ModelLibrary(home / "models", home / "loras", home / "models.toml")


def nowhere(model: LocalModel, folder: Path) -> None:
    raise AssertionError(f"asked the hub for {model.name}")


def test_a_folder_with_what_looks_at_pictures_is_added_where_it_lies_and_removed(
    shelves: ModelLibrary, mine: Path
) -> None:
    added = add(shelves, mine, None, "sd15", nowhere)
    known = shelves.load_registry()

    assert (added.kind, added.platform, added.path) == ("ip_adapter", "stable_diffusion_1_5", mine)
    assert "mine" in known.ip_adapters.installed
    assert remove(shelves, "mine").remaining_path == mine
    assert "mine" not in shelves.load_registry().ip_adapters
    assert (mine / "ip_adapter.safetensors").is_file()


def test_a_file_alone_is_refused_with_what_it_lacks(shelves: ModelLibrary, mine: Path) -> None:
    with pytest.raises(AcpError) as refused:
        add(shelves, mine / "ip_adapter.safetensors", None, "sd15", nowhere)

    assert "as image_encoder" in (refused.value.body.hint or "")
