"""Row 21, as far as a terminal is concerned: what strangers write is shown to an operator and never carried out.

Boards in a browser are the row's other part; there is none.
"""

import io
import json
from pathlib import Path
from typing import cast

import pytest

from agents.doors.cli.terminal.console import ShownConsole
from agents.doors.cli.terminal.control_characters import show_control_characters
from agents.doors.cli.terminal.display import display_for
from agents.doors.cli.terminal.shown_stream import ShownStream
from tests.doors.cli.conftest import Home, Outcome

TITLE = "\x1b]0;owned\x07"
HOSTILE = f"a red{TITLE} car\x1b[31m\x9b2J\x7f\u202egnp\u2066.\u2028\u0085end"
HARMLESS_CONTROLS = set("\n")


def acting(text: str) -> set[str]:
    """The characters of an output that a terminal would carry out."""
    return {one for one in text if show_control_characters(one) != one} - HARMLESS_CONTROLS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, tabbed\tand\nbroken", "plain, tabbed\tand\nbroken"),
        ("日本 é 👩\u200d🎨 עברית", "日本 é 👩\u200d🎨 עברית"),
        (TITLE, "\\u001b]0;owned\\u0007"),
        ("over\rwritten\b\v\f\0", "over\\u000dwritten\\u0008\\u000b\\u000c\\u0000"),
        ("\x7f\x80\x9b31m\x9d", "\\u007f\\u0080\\u009b31m\\u009d"),
        ("\u2028\u2029\u0085", "\\u2028\\u2029\\u0085"),
        ("\u202a\u202b\u202c\u202d\u202e", "\\u202a\\u202b\\u202c\\u202d\\u202e"),
        ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),
        ("not text: \udcff", "not text: \\udcff"),
    ],
)
def test_what_acts_on_a_terminal_becomes_visible_and_all_else_stays(text: str, shown: str) -> None:
    assert show_control_characters(text) == shown


def test_json_means_the_same_after_it() -> None:
    text = json.dumps({"brief": HOSTILE, "path": "C:\\\u202e\\"}, ensure_ascii=False)
    shown = show_control_characters(text)
    assert json.loads(shown) == json.loads(text)
    assert not acting(shown)


def test_plain_output_and_traces_go_through_one_stream() -> None:
    behind = io.StringIO()
    stream = ShownStream(behind)
    stream.write(HOSTILE)
    stream.writelines([HOSTILE, "\n"])
    print(HOSTILE, file=stream, flush=True)
    assert not acting(behind.getvalue())
    assert "\\u001b]0;owned" in behind.getvalue()


def test_a_console_colours_its_own_words_and_no_others() -> None:
    behind = io.StringIO()
    console = ShownConsole(file=behind, force_terminal=True, color_system="standard", width=200, emoji=False)
    console.print(HOSTILE, style="green", markup=False)
    display_for(console, silent=False).print_line(HOSTILE)
    said = behind.getvalue()
    assert said.startswith("\x1b[32ma red")
    for attack in ("\x1b]", "\x1b[31m\\", "\x9b", "\u202e", "\u2066", "\u2028", "\x7f"):
        assert attack not in said


@pytest.fixture(scope="module")
def batch(watched_workshop: Home) -> str:
    """A batch with hostile text in every field of a stranger's choice."""
    metadata = {"note": HOSTILE}
    command = {"cmd": "GENERATE_IMAGES", "client_id": "local", "prompt": HOSTILE, "quantity": 1, "metadata": metadata}
    (watched_workshop.folder / "command.json").write_text(json.dumps(command))
    made = watched_workshop.run("generate", HOSTILE, "-n", "1", "--json")
    assert made.returncode == 0, made.stdout + made.stderr
    return cast("str", json.loads(made.stdout)["hash"])


def said(outcome: Outcome) -> str:
    return outcome.stdout + outcome.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("list", "--json"),
        ("status",),
        ("status", "BATCH"),
        ("status", "BATCH", "--json"),
        ("status", "BATCH", "--pictures"),
        ("status", HOSTILE),
        ("plan", "COMMAND"),
        ("cancel", HOSTILE),
        ("costs",),
        ("costs", HOSTILE),
        ("clients", "list"),
        ("clients", "show", HOSTILE),
        ("dead-letters", "list"),
        ("logs",),
        ("generate", HOSTILE, "-n", "1", "--dry-run"),
        ("generate", HOSTILE, "-n", "1"),
        ("generate", "a car", "--lora", HOSTILE),
        ("generate", "a car", "--model", HOSTILE),
        ("generate", "a car", "--image", f"/tmp/{HOSTILE}.png".replace("\0", "")),
        ("generate", "a car", f"--{HOSTILE}"),
        ("models", "list"),
        ("models", "show", HOSTILE),
        ("models", "add", f"/tmp/{HOSTILE}.safetensors"),
        ("rerun", f"/tmp/{HOSTILE}.png"),
        ("styles", "list"),
        ("styles", "show", HOSTILE),
        ("batch", "list"),
        ("restore", f"/tmp/{HOSTILE}"),
        (HOSTILE,),
    ],
    ids=lambda command: " ".join(command).replace(HOSTILE, "HOSTILE").encode("ascii", "replace").decode(),
)
def test_no_command_lets_it_through(watched_workshop: Home, batch: str, command: tuple[str, ...]) -> None:
    places = {"BATCH": batch, "COMMAND": str(watched_workshop.folder / "command.json")}
    outcome = watched_workshop.run(*(places.get(word, word) for word in command))
    assert said(outcome)
    assert not acting(said(outcome))


def test_a_log_that_quotes_a_stranger_is_shown_without_acting(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (home.folder / "logs").mkdir(parents=True)
    (home.folder / "logs" / "qa.log").write_text(f"{HOSTILE}\n")
    shown = home.run("logs", "qa").stdout
    assert not acting(shown)
    assert "\\u001b]0;owned" in shown
