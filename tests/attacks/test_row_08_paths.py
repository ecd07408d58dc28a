"""Row 8: names from elsewhere lead to no file outside of the folder that they belong to, nor do links; and what lies in
a home is readable by its owner alone."""

import asyncio
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


def test_of_a_linked_combo_folder_not_even_the_names_are_told(folders: tuple[Path, Path, CatalogueLoader]) -> None:
    catalogues, combos, loader = folders
    (catalogues / "catalog_v1" / "ZH01_plain.md").write_text("# one\n\na mug\n")
    outside = catalogues.parent / "outside"
    outside.mkdir()
    (outside / "private_scan.gif").write_bytes(b"GIF89a")
    (combos / "formal" / "modern" / "two").symlink_to(outside)

    with pytest.raises(Refused, match="a link leads out of combos") as refused:
        load(loader, combos=True)
    assert "private_scan" not in str(refused.value.body)


@pytest.mark.slow
def test_pruning_by_a_catalogue_that_names_a_file_elsewhere_removes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    victim = tmp_path / "victim.txt"
    victim.write_text("kept")
    made = home.run("generate", "a mug", "-n", "1", "--json", BOTTEGA_GENERATOR="instant", BOTTEGA_QA_SCORING="false")
    assert made.returncode == 0, made.stderr
    for opened in (home.folder, home.folder / "ledger.db", home.folder / "pictures"):
        opened.chmod(0o755)  # as a home of a version before was left
    again = home.run("generate", "a mug", "-n", "1", "--json", BOTTEGA_GENERATOR="instant", BOTTEGA_QA_SCORING="false")
    assert again.returncode == 0, again.stderr
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
