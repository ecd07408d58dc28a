"""Row 8: names from elsewhere lead to no file outside of the folder that they belong to, nor do links; and what lies in
a home is readable by its owner alone."""

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.shared.contained_path import contained_path, is_plain
from agents.storage.atomic_files import AtomicFiles
from bus.local_blobs import LocalBlobs
from protocol.commands import Catalogue, Combos, GenerateImages
from protocol.errors import Refused
from tests.doors.cli.conftest import Home

STRAYS = [
    "/etc/passwd",
    "../victim.txt",
    "a/../../victim.txt",
    "a/b/../../../victim.txt",
    "..",
    "",
    "a\0b",
    "..\\victim.txt",
    "a/..",
]


@pytest.mark.parametrize("name", STRAYS)
def test_a_name_that_leads_out_of_a_folder_is_no_path_in_it(tmp_path: Path, name: str) -> None:
    assert not is_plain(name)
    assert contained_path(tmp_path, name) is None
    assert AtomicFiles(tmp_path).find(name) is None


@pytest.mark.parametrize("name", ["a.png", "acme/gen_batch_1/a.png", "a..b/c", "...", "~/a"])
def test_a_plain_name_is_a_path_in_its_folder(tmp_path: Path, name: str) -> None:
    assert contained_path(tmp_path, name) == tmp_path / name


def test_a_link_on_the_way_or_at_its_end_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "pictures", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "victim.txt").write_text("kept")
    (root / "acme").symlink_to(outside)
    (root / "link.png").symlink_to(outside / "victim.txt")

    assert contained_path(root, "acme/victim.txt") is None
    assert contained_path(root, "link.png") is None


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, CatalogueLoader]:
    catalogues, combos = tmp_path / "catalogues", tmp_path / "combos"
    for folder in (catalogues / "catalog_v1", combos / "formal" / "modern" / "one"):
        folder.mkdir(parents=True)
    (tmp_path / "secret.md").write_text("# secret\n\nroot:x:0:0\n")
    return catalogues, combos, CatalogueLoader(catalogues, combos, LocalBlobs(tmp_path / "blobs"))


def load(loader: CatalogueLoader, *, combos: bool = False) -> object:
    command = GenerateImages(
        brief="x", catalogue=Catalogue(names=["v1"]), combos=Combos() if combos else None, hold=True
    )
    return asyncio.run(loader.load(command))


def test_a_link_in_a_catalogue_is_refused_by_its_name(folders: tuple[Path, Path, CatalogueLoader]) -> None:
    catalogues, _, loader = folders
    (catalogues / "catalog_v1" / "ZH01_plain.md").write_text("# one\n\na mug\n")
    load(loader)
    (catalogues / "catalog_v1" / "ZH02_link.md").symlink_to(catalogues.parent / "secret.md")

    with pytest.raises(Refused, match=r"ZH02_link\.md: a link leads out of catalogues"):
        load(loader)


def test_a_linked_folder_of_a_catalogue_is_refused(folders: tuple[Path, Path, CatalogueLoader]) -> None:
    catalogues, _, loader = folders
    (catalogues / "catalog_v1").rmdir()
    elsewhere = catalogues.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").write_text("# one\n\na mug\n")
    (catalogues / "catalog_v1").symlink_to(elsewhere)

    with pytest.raises(Refused, match="a link leads out of catalogues"):
        load(loader)


def test_a_link_in_a_combo_is_refused(folders: tuple[Path, Path, CatalogueLoader]) -> None:
    catalogues, combos, loader = folders
    (catalogues / "catalog_v1" / "ZH01_plain.md").write_text("# one\n\na mug\n")
    (combos / "formal" / "modern" / "one" / "ui.png").symlink_to(catalogues.parent / "secret.md")

    with pytest.raises(Refused, match="a link leads out of combos"):
        load(loader, combos=True)


@pytest.mark.slow
def test_what_a_changed_backup_names_elsewhere_is_refused_and_a_catalogue_like_it_removes_nothing(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    victim = tmp_path / "victim.txt"
    victim.write_text("kept")
    made = home.run("generate", "a mug", "-n", "1", "--json", BOTTEGA_GENERATOR="instant", BOTTEGA_QA_SCORING="false")
    assert made.returncode == 0, made.stderr
    assert home.run("backup", str(tmp_path / "bk")).returncode == 0
    with sqlite3.connect(tmp_path / "bk" / "catalogue.db") as catalogue:
        catalogue.execute("UPDATE images SET path = ?", (str(victim),))
    manifest = json.loads((tmp_path / "bk" / "manifest.json").read_text())
    changed = (tmp_path / "bk" / "catalogue.db").read_bytes()
    manifest["databases"]["catalogue"]["sha256"] = hashlib.sha256(changed).hexdigest()
    (tmp_path / "bk" / "manifest.json").write_text(json.dumps(manifest))

    refused = home.run("restore", str(tmp_path / "bk"), "--force")
    assert refused.returncode != 0
    assert "lie outside of the pictures' folder" in refused.stderr

    with sqlite3.connect(home.folder / "catalogue.db") as catalogue:
        catalogue.execute("UPDATE images SET path = ?", (str(victim),))
    pruned = home.run("prune", BOTTEGA_RETAIN_DAYS="0.0000001")
    assert pruned.returncode == 0, pruned.stderr
    assert victim.read_text() == "kept"

    open_to_others = [
        path.relative_to(home.folder)
        for path in (home.folder, *home.folder.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []
