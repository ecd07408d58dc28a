"""Row 24: nothing is installed that was not looked at: every file has a hash that was written down before, actions are
pinned by commit, licences are known, nothing runs at Python's start unasked, and an audit that saw nothing says so."""

import json
import re
import site
import tomllib
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.supply.audit import read_answer
from tests.supply.licences import Licence, can_be_met, expression_of, faults_of, installed_licences
from tests.supply.lock import Pin, read_lock
from tests.supply.startup_files import strange_startup_files

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.lock", "tests/supply/tools.lock")
UNLOCKED = "torch"
BROUGHT_BY_TORCH = ("nvidia-*", "cuda-*", "triton")
"""What a CUDA build of torch needs beyond what every build needs."""

HASH = "--hash=sha256:" + "0" * 64


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def locked() -> dict[NormalizedName, Pin]:
    return read_lock((ROOT / "requirements.lock").read_text())


def stated() -> list[Requirement]:
    """What pyproject.toml asks for: to run, to develop, to build, and what every build of torch needs."""
    (torch,) = project()["tool"]["uv"]["dependency-metadata"]
    assert torch["name"] == UNLOCKED
    texts = [
        *project()["project"]["dependencies"],
        *project()["project"]["optional-dependencies"]["dev"],
        *project()["build-system"]["requires"],
        *torch["requires-dist"],
    ]
    return [requirement for text in texts if (requirement := Requirement(text)).name != UNLOCKED]


def is_brought_by_torch(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in BROUGHT_BY_TORCH)


def is_locked(requirement: Requirement) -> bool:
    pin = locked().get(canonicalize_name(requirement.name))
    return pin is not None and requirement.specifier.contains(pin.version, prereleases=True)


def test_what_the_project_asks_for_is_in_the_lock_in_a_version_that_it_takes() -> None:
    assert [str(requirement) for requirement in stated() if not is_locked(requirement)] == []
    assert UNLOCKED not in locked()
    assert [name for name in locked() if is_brought_by_torch(name)] == []


def needs_of(distribution: str, extras: frozenset[str]) -> list[Requirement]:
    """What an installed distribution asks for on this machine, with some of its extras."""
    found = [Requirement(text) for text in requires(distribution) or ()]
    return [
        requirement
        for requirement in found
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


def test_what_the_installed_ask_for_in_their_turn_is_in_the_lock_too() -> None:
    waiting = [*stated(), Requirement(UNLOCKED)]
    seen: set[tuple[str, frozenset[str]]] = set()
    missing: list[str] = []
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or is_brought_by_torch(name):
            continue
        seen.add((name, extras))
        if name != UNLOCKED and not is_locked(requirement):
            missing.append(str(requirement))
        waiting += needs_of(name, extras)

    assert missing == []
    assert len(seen) > 80


def test_what_is_installed_is_what_the_lock_says() -> None:
    installed = {canonicalize_name(found.name): found.version for found in distributions()}
    wrong = {
        name: (installed.get(name), pin.version)
        for name, pin in locked().items()
        if pin.applies_here() and installed.get(name) != pin.version
    }

    assert wrong == {}, "run: make setup"


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(file: str) -> None:
    text = (ROOT / file).read_text()

    assert read_lock(text)
    assert re.findall(r"\w+://\S+|--(?:extra-)?index\S*|--find-links\S*|^-\S+", text, re.MULTILINE) == []


@pytest.mark.parametrize(
    "line",
    [
        "pillow==13.0.0",
        "pillow>=13 " + HASH,
        "pillow==13.* " + HASH,
        "pillow==13.0.0 --hash=md5:" + "0" * 32,
        "pillow==13.0.0 --hash=sha256:0",
        f"pillow==13.0.0 {HASH} --hash=md5:" + "0" * 32,
        "pillow @ https://example.org/pillow.whl " + HASH,
        "--index-url https://example.org " + HASH,
        f"pillow==13.0.0 {HASH}\nPillow==13.0.1 {HASH}",
        "# a comment that seems to go on \\\npillow==13.0.0",
    ],
)
def test_a_line_of_a_lock_without_version_or_hash_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"not a|not one|named twice"):
        read_lock(line)


def test_make_installs_only_what_has_a_hash_but_for_torch_and_the_project_itself() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = [line.strip() for line in text.splitlines() if "$(PIP_INSTALL)" in line or "pip install" in line]
    unhashed = [line for line in installs if "--require-hashes --no-deps" not in line and ":=" not in line]

    assert len(installs) == 6
    assert [line.partition("$(PIP_INSTALL) ")[2] for line in unhashed] == [
        "$(PIP_ARGS) --constraint constraints.txt torch",
        "--no-index --no-deps --no-build-isolation --editable .",
    ]
    assert re.findall(r"^[^#\n].*", (ROOT / "constraints.txt").read_text(), re.MULTILINE) == ["torch==2.13.0"]
    assert {"--ignore-scripts" in line for line in re.findall(r"npm (?:ci|install) .*", text)} == {True}
    assert re.findall(r"npm (?!ci |install --silent --package-lock-only )\w+.*", text) == []


def test_what_npm_installs_is_locked_with_hashes_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "asyncapi"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert lock["packages"][""]["dependencies"] == wanted
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_actions_of_workflows_are_pinned_by_commit() -> None:
    files = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
    actions = [name for file in files for name in re.findall(r"uses:\s*(\S+)", file.read_text())]

    assert actions
    assert [name for name in actions if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", name)] == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-3.0-only OR BSD-3-Clause)", True),
        ("MIT AND GPL-3.0-only OR AGPL-3.0-only", False),
        ("AGPL-3.0-only OR MIT AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LicenseRef-Mine", False),
    ],
)
def test_a_licence_expression_is_met_by_allowed_licences_or_not(expression: str, allowed: bool) -> None:
    assert can_be_met(expression) is allowed


MIT = "License :: OSI Approved :: MIT License"
GPL = "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


@pytest.mark.parametrize(
    ("spdx", "classifiers", "text", "expression"),
    [
        ("mit or apache-2.0", [GPL], "", "MIT OR Apache-2.0"),
        ("no expression at all", [MIT], "MIT", ""),
        ("", ["Programming Language :: Python", MIT], "GPL", "MIT"),
        ("", [GPL, MIT], "", ""),
        ("", ["License :: OSI Approved"], "Apache 2.0 License", "Apache-2.0"),
        ("", [], "MPL-2.0 AND MIT", "MPL-2.0 AND MIT"),
        ("", [], "Copyright me. All rights reserved.", ""),
        ("", [], "", ""),
    ],
)
def test_metadata_amount_to_a_licence_or_to_none(spdx: str, classifiers: list[str], text: str, expression: str) -> None:
    assert expression_of(spdx, classifiers, text) == expression


def test_a_licence_that_is_not_allowed_or_not_known_is_a_fault() -> None:
    licences = [Licence("known", "MIT"), Licence("silent", ""), Licence("bad", "AGPL-3.0-only"), Licence("x", "", True)]

    assert [line.partition(":")[0] for line in faults_of(licences)] == ["bad", "silent"]
    assert faults_of(installed_licences()) == []


def test_nothing_unknown_runs_when_python_starts_here() -> None:
    assert [name for folder in site.getsitepackages() for name in strange_startup_files(Path(folder))] == []


def test_a_file_that_would_run_when_python_starts_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "adds_a_folder.pth").write_text("/tmp/elsewhere\n")
    (tmp_path / "runs.pth").write_text("import os; os.getcwd()\n")
    (tmp_path / "a1_coverage.pth").write_text("import sys\n")  # a known name that no distribution here owns
    (tmp_path / "sitecustomize.py").touch()

    assert strange_startup_files(tmp_path) == [
        "sitecustomize.py",
        "a1_coverage.pth",
        "adds_a_folder.pth",
        "runs.pth",
    ]


SKIPPED: dict[str, Any] = {"name": "a", "skip_reason": "not found"}
CLEAN: dict[str, Any] = {"name": "b", "version": "1", "vulns": []}
BAD: dict[str, Any] = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("entries", "checked", "skipped", "findings"),
    [
        ([CLEAN], ("b 1",), (), ()),
        ([SKIPPED], (), ("a",), ()),
        ([SKIPPED, CLEAN], ("b 1",), ("a",), ()),
        ([CLEAN, BAD], ("b 1", "c 2"), (), ("c 2: CVE-1, mended in 3",)),
    ],
)
def test_an_audit_counts_as_checked_only_what_its_source_knows(
    entries: list[dict[str, Any]], checked: tuple[str, ...], skipped: tuple[str, ...], findings: tuple[str, ...]
) -> None:
    answer = read_answer(json.dumps({"dependencies": entries}), "")

    assert (answer.checked, answer.skipped, answer.findings) == (checked, skipped, findings)
    assert bool(answer.reason) is not bool(checked)


def test_an_audit_without_a_report_says_why() -> None:
    answer = read_answer("", "Traceback\n  ...\nConnectionError: no route\n")

    assert answer.reason == "ConnectionError: no route"
    assert answer.checked == ()
