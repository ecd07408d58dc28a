"""What READMEs and other paper show is what the workshop says and understands: commands, files, links, settings."""

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from agents.shared.settings import Settings
from protocol import codec
from protocol.commands import GenerateImages, not_built_names
from protocol.results import GenerationStatus
from tests.markdown import (
    anchors_of,
    blocks_of,
    commands_of,
    inline_code,
    links_of,
    long_lines,
    members_of,
    python_files,
    types_of,
    variables,
)
from tests.shell_lines import fault_of, targets, unknown_flags

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Fenced code of one language, in its order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_order_is_a_command_and_the_status_is_a_status() -> None:
    order, status = blocks("json")
    assert isinstance(codec.decode_command(order.encode()), GenerateImages)
    shown = codec.decode_reply(status.encode())
    assert isinstance(shown, GenerationStatus)
    assert json.loads(codec.encode(shown)) == json.loads(status)


def test_the_python_example_sends_a_command_that_is_understood() -> None:
    (example,) = blocks("python")
    commands = [
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    ]
    assert [type(codec.decode_command(json.dumps(command).encode())) for command in commands] == [GenerateImages]


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for block in blocks("sh") for word in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)}
    assert named == {"demo", "test"}
    assert named <= targets


def test_the_commands_shown_are_commands_of_the_command_line() -> None:
    from typer.main import get_command

    from agents.doors.cli.app import app

    known = set(cast("dict[str, object]", getattr(get_command(app), "commands")))  # noqa: B009 - Typer's own types hide it
    named = {word for block in blocks("sh") for word in re.findall(r"^bottega ([a-z]+)", block, re.MULTILINE)}
    assert named
    assert named <= known


def test_what_the_readme_says_is_refused_is_what_the_protocol_refuses() -> None:
    (said,) = re.findall(r"refused with `not_supported`: (.*?)\n\n", README, re.DOTALL)
    assert re.findall(r"`([^`]+)`", said) == not_built_names()


FOLDERS = (".github", "agents", "bus", "deploy", "protocol", "tests")
READMES = sorted(file for folder in FOLDERS for file in ROOT.glob(f"{folder}/**/README.md"))


@pytest.mark.parametrize("readme", [ROOT / "README.md", *READMES], ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_readme_points_to_is_there(readme: Path) -> None:
    text = readme.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)\)", text)
    modules = [name.replace(".", "/") for name in re.findall(r"python -m ([\w.]+)", text)]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert [link for link in links if not (readme.parent / link).exists()] == []
    assert [
        name for name in modules if not ((ROOT / f"{name}.py").exists() or (ROOT / name / "__main__.py").exists())
    ] == []
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    settings = {*Settings.model_fields, "failpoint"}
    assert {name.lower() for name in re.findall(r"BOTTEGA_([A-Z_]+[A-Z])", text)} <= settings


PAPER = sorted({*ROOT.glob("*.md"), *(file for name in FOLDERS for file in ROOT.glob(f"{name}/**/*.md"))})
PACKAGES = [
    readme
    for readme in READMES
    if readme.relative_to(ROOT).parts[0] in ("agents", "bus", "protocol") or "tests" in readme.relative_to(ROOT).parts
]
VARIABLES = {f"BOTTEGA_{name.upper()}" for name in (*Settings.model_fields, "failpoint")}


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def files_to_name(folder: Path) -> set[str]:
    """Files that the README of a folder answers for: all below it, but for those below a README of their own."""
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*.py")
        if file.name != "__init__.py"
        and "migrations" not in file.parts
        and next(above for above in file.parents if (above / "README.md").exists()) == folder
    }


def targets_missing(paper: Path, text: str) -> list[str]:
    """Links that lead to no file, or to no heading of one."""
    missing: list[str] = []
    for link in links_of(text):
        path, _, anchor = link.partition("#")
        file = paper.parent / path if path else paper
        if not file.exists() or (anchor and anchor not in anchors_of(file.read_text())):
            missing.append(link)
    return missing


def files_missing(folder: Path, text: str) -> list[str]:
    """Python files that are mentioned and are neither below the folder nor below the repository's root."""
    return sorted(name for name in python_files(text) if not any((base / name).is_file() for base in (folder, ROOT)))


def faults_of_blocks(text: str) -> list[str]:
    """Lines of shell blocks that cannot be run and have no comment that says why."""
    return [
        f"line {block.line}: {fault}"
        for block in blocks_of(text)
        if block.language in ("sh", "bash") and not block.excused
        for line in commands_of(block)
        if (fault := fault_of(line))
    ]


def flags_that_do_not_exist(text: str) -> dict[str, list[str]]:
    """Commands between backticks with the flags that they do not have, or the command where there is none."""
    codes = [code for code in inline_code(text) if code.startswith("bottega ")]
    return {code: flags for code in codes if (flags := unknown_flags(code))}


def targets_that_do_not_exist(text: str) -> set[str]:
    """Targets of `make` between backticks that the Makefile does not have."""
    return {word for code in inline_code(text) for word in re.findall(r"^make ([a-z-]+)", code)} - targets()


@pytest.mark.parametrize("readme", PACKAGES, ids=name_of)
def test_a_readme_names_each_file_of_its_folder_and_no_other(readme: Path) -> None:
    text = readme.read_text()
    named = {str((base / name).resolve()) for name in python_files(text) for base in (readme.parent, ROOT)}

    assert files_missing(readme.parent, text) == []
    assert [name for name in sorted(files_to_name(readme.parent)) if str(readme.parent / name) not in named] == []


@cache
def words_of_code() -> frozenset[str]:
    """Every word in the sources."""
    files = [file for name in ("agents", "bus", "protocol") for file in (ROOT / name).rglob("*.py")]
    return frozenset(word for file in files for word in re.findall(r"\w+", file.read_text()))


@pytest.mark.parametrize("readme", PACKAGES, ids=name_of)
def test_a_class_that_a_readme_names_is_in_the_code(readme: Path) -> None:
    assert sorted(types_of(readme.read_text()) - words_of_code()) == []


def members_missing(folder: Path, text: str) -> list[str]:
    """What is said to be in a module of a folder and does not occur in any of its name."""
    files: dict[str, str] = {}
    for file in folder.rglob("*.py"):
        files[file.stem] = files.get(file.stem, "") + file.read_text()
    return [
        f"{module}.{name}"
        for module, name in sorted(members_of(text))
        if module in files and name != "py" and not re.search(rf"\b{name}\b", files[module])
    ]


@pytest.mark.parametrize("readme", PACKAGES, ids=name_of)
def test_what_a_readme_says_is_in_a_module_of_its_folder_is_in_it(readme: Path) -> None:
    assert members_missing(readme.parent, readme.read_text()) == []


@pytest.mark.parametrize("paper", PAPER, ids=name_of)
def test_shell_lines_of_paper_could_be_run_as_they_stand(paper: Path) -> None:
    assert faults_of_blocks(paper.read_text()) == []


@pytest.mark.parametrize("paper", PAPER, ids=name_of)
def test_commands_in_running_text_have_the_flags_that_it_gives_them(paper: Path) -> None:
    assert flags_that_do_not_exist(paper.read_text()) == {}
    assert targets_that_do_not_exist(paper.read_text()) == set()


@pytest.mark.parametrize("paper", PAPER, ids=name_of)
def test_paper_is_as_wide_as_code(paper: Path) -> None:
    assert long_lines(paper.read_text()) == []


@pytest.mark.parametrize("paper", PAPER, ids=name_of)
def test_links_of_paper_lead_to_a_file_and_to_a_heading_of_it(paper: Path) -> None:
    assert targets_missing(paper, paper.read_text()) == []


@pytest.mark.parametrize("paper", PAPER, ids=name_of)
def test_each_variable_that_paper_names_is_a_setting(paper: Path) -> None:
    assert variables(paper.read_text()) <= VARIABLES


GUIDE = ROOT / "deploy" / "docs" / "guide"


def settings_listed(text: str) -> dict[str, tuple[str, str]]:
    """Setting -> variable and default, as the tables of the guide give them."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `?(.+?)`? \| \S.* \|$", text, re.MULTILINE)
    return {name: (variable, default) for name, variable, default in rows}


def settings_declared() -> dict[str, tuple[str, str]]:
    """Setting -> variable and default, of a workshop whose home is called HOME."""
    return {
        name: (
            f"BOTTEGA_{name.upper()}",
            written_default(field.get_default(call_default_factory=True, validated_data=HOME)),
        )
        for name, field in Settings.model_fields.items()
        if name != "home"
    } | {"home": ("BOTTEGA_HOME", "the platform's folder for user data")}


HOME = {"home": Path("HOME")}


def written_default(value: object) -> str:
    """A default as the guide writes it."""
    if value is None or value == {}:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_guide_names_every_setting_with_its_variable_and_default() -> None:
    assert settings_listed((GUIDE / "settings.md").read_text()) == settings_declared()


def test_the_guide_has_a_page_for_each_kind_of_reader_and_its_index_leads_to_all() -> None:
    pages = {"quick-start.md", "designer.md", "batch.md", "operator.md", "agents.md", "settings.md"}
    assert {file.name for file in GUIDE.iterdir()} == {*pages, "README.md"}
    assert pages <= set(links_of((GUIDE / "README.md").read_text()))


LONG = "a line with more than a hundred and twenty characters, " * 3

WRONG = f"""# What is wrong

A file `agents/qa/nothing.py`, [a page](nothing.md), [a heading](#nothing), `BOTTEGA_NOTHING`,
`bottega models --nothing`, `bottega nothing`, `make nothing`, `NothingLikeIt.at_all`, `unnamed.nothing`, and
{LONG}

```sh
bottega generate "a star" --nothing
bottega generate "a star" -n many
bottega nothing
make nothing
python -m agents.nothing
pip install 'bottega[nothing]'
curl http://127.0.0.1
```

<!-- not run: there is no such program -->

```sh
nothing
```
"""

RIGHT = f"""# What is right

`agents/qa/agent.py`, `migrations/NNNN_what.py`, `GenerateImages`, [here](#what-is-right),
`bottega cancel HASH [--pending \\| --image 7]`

| a row of a table cannot be wrapped: {LONG} |
https://example.org/{LONG}

```sh
BOTTEGA_STAND_IN=pocket bottega generate "a star" \\
    -n 4 --seed 7   # four of them
make test PYTEST_ARGS="-k planner"
python -m tests.fuzz
export A="{LONG}"
```
"""


def test_the_rules_of_paper_notice_what_they_forbid(tmp_path: Path) -> None:
    paper = tmp_path / "README.md"
    paper.write_text(WRONG)
    (tmp_path / "unnamed.py").touch()
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "README.md").touch()
    (tmp_path / "room" / "named_there.py").touch()

    assert files_missing(tmp_path, WRONG) == ["agents/qa/nothing.py"]
    assert files_to_name(tmp_path) == {"unnamed.py"}
    assert members_missing(tmp_path, WRONG) == ["unnamed.nothing"]
    assert targets_missing(paper, WRONG) == ["nothing.md", "#nothing"]
    assert types_of(WRONG) - words_of_code() == {"NothingLikeIt", "at_all"}
    assert variables(WRONG) - VARIABLES == {"BOTTEGA_NOTHING"}
    assert long_lines(WRONG) == [5]
    assert flags_that_do_not_exist(WRONG) == {"bottega models --nothing": ["--nothing"], "bottega nothing": ["nothing"]}
    assert targets_that_do_not_exist(WRONG) == {"nothing"}
    assert len(faults_of_blocks(WRONG)) == 7


def test_the_rules_of_paper_let_pass_what_is_right(tmp_path: Path) -> None:
    paper = tmp_path / "README.md"
    paper.write_text(RIGHT)

    assert files_missing(tmp_path, RIGHT) == targets_missing(paper, RIGHT) == []
    assert long_lines(RIGHT) == faults_of_blocks(RIGHT) == []
    assert flags_that_do_not_exist(RIGHT) == {}
    assert types_of(RIGHT) <= words_of_code()
