"""Sessions of catalogues and combos, as a person runs them: begun, killed, gone on with, tried again, upgraded."""

import json
import re
import shlex
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents.storage.png import read_text
from tests.doors.cli.conftest import ANSWER_S, Home, Outcome, line_with
from tests.planner.catalogues import write_home
from tests.small_disk import enlarge, fill, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ORANGE = ("--catalogues", "v3.2", "--wardrobe", "zip-hoodie", "--ui-style", "Orange", "--platform", "pocket")
POCKET = {
    "BOTTEGA_GENERATOR": "diffusers", "BOTTEGA_QA_SCORING": "true", "BOTTEGA_WINDOW": "1", "BOTTEGA_TORCH_THREADS": "1",
}  # fmt: skip
"""Real pictures, one at a time, so that a session has a middle."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A running workshop with two prompts and two combos of each style."""
    home = Home(tmp_path_factory.mktemp("home"))
    write_home(home.folder)
    with home.start("up") as up:
        line_with(up, "workshop ready at")
        yield home
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0


def told(done: Outcome, returncode: int = 0) -> dict[str, Any]:
    """The one object that `--json` prints."""
    assert done.returncode == returncode, done
    return json.loads(done.stdout)


def logs(output: Path) -> list[Path]:
    return sorted((output / ".sessions").glob("*-session.json"))


def check_true(log: dict[str, Any]) -> None:
    """What a log says of its jobs is so, and its counts are those of its jobs."""
    counts = dict(log["summary"])
    assert counts.pop("total") == len(log["jobs"]) == sum(counts.values())
    for status, count in counts.items():
        assert count == sum(job["status"] == status for job in log["jobs"])
    for job in log["jobs"]:
        assert (job["output"] is not None) == (job["status"] == "completed")
        if job["output"]:
            with Image.open(job["output"]) as picture:
                picture.load()


def pictures(output: Path) -> list[str]:
    return sorted(file.relative_to(output).as_posix() for file in output.rglob("*.png"))


def test_a_session_of_another_client_stays_that_clients(workshop: Home, tmp_path: Path) -> None:
    made = told(workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path), "--client", "acme", "--json"))
    [listed] = told(workshop.run("list", "--client", "acme", "--json"))["batch_list"]["batches"]
    assert made["hash"] == listed["hash"]
    again = told(workshop.run("batch", "resume", "--output", str(tmp_path), "--json"))
    assert (again["hash"], again["summary"]["completed"]) == (made["hash"], len(made["jobs"]))


@pytest.mark.timeout(400)
def test_a_session_that_is_killed_in_the_middle_left_a_true_log_and_goes_on_to_its_end(home: Home) -> None:
    write_home(home.folder)
    output = home.folder / "Result_images"
    small = ("--quality", "128x128", "--steps", "4", "--seed", "7", "--min-score", "0")
    with home.start("batch", "start", *ORANGE, *small, **POCKET) as session:
        line_with(session, "→ saved")
        session.kill()
        session.wait(timeout=ANSWER_S)
    [path] = logs(output)
    killed = json.loads(path.read_bytes())
    check_true(killed)
    assert 1 <= killed["summary"]["completed"] < 4
    before = {job["id"]: Path(job["output"]).read_bytes() for job in killed["jobs"] if job["output"]}

    log = told(home.run("batch", "resume", "--json", **POCKET))

    check_true(log)
    assert log["session_id"] == killed["session_id"]
    assert log["summary"]["completed"] == 4
    assert log == json.loads(path.read_bytes())
    assert all(Path(log["jobs"][int(name) - 1]["output"]).read_bytes() == data for name, data in before.items())
    assert len(pictures(output)) == 4

    again = told(home.run("batch", "start", *ORANGE, *small, "--json", **POCKET))

    check_true(again)
    assert [job["reused"] for job in again["jobs"]] == [job["image_id"] for job in log["jobs"]]
    assert len(pictures(output)) == 8


def test_a_session_makes_the_tree_of_its_seed_and_a_log_with_every_field(workshop: Home, tmp_path: Path) -> None:
    done = workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path), "--json")
    log = told(done)
    check_true(log)

    assert list(log)[:5] == ["session_id", "started", "config", "jobs", "summary"]
    assert log["config"] == {"wardrobe": "zip-hoodie", "catalogs": ["v3.2"], "ui_style": "Orange", "quality": "native"}
    assert [(job["id"], job["prompt_file"], job["combo"]) for job in log["jobs"]] == [
        ("001", "ZH01_unboxing_experience.md", "C-U-009"),
        ("002", "ZH02_travel_ready.md", "C-U-009"),
        ("003", "ZH01_unboxing_experience.md", "C-U-010"),
        ("004", "ZH02_travel_ready.md", "C-U-010"),
    ]
    for job in log["jobs"]:
        assert (job["status"], job["attempts"], job["error"]) == ("completed", 1, None)
        assert job["started"] <= job["completed"]
        short = job["prompt_file"][:4]
        folder, name = Path(job["output"]).relative_to(tmp_path).parent, Path(job["output"]).name
        assert folder == Path("zip-hoodie", "v3.2", job["prompt_file"][:-3], "Orange", job["combo"])
        assert name.endswith(f"-{short}-128x128.png")
        assert len(name) == len(f"2025-01-15-14-30-22-{short}-128x128.png")
    assert logs(tmp_path) == [tmp_path / ".sessions" / f"{log['session_id']}-session.json"]


def test_prompts_are_put_together_with_the_words_of_their_combo(workshop: Home, tmp_path: Path) -> None:
    log = told(workshop.run("batch", "start", *ORANGE, "--prompts", "ZH01", "--output", str(tmp_path), "--json"))
    texts = read_text(Path(log["jobs"][0]["output"]).read_bytes())

    assert texts["bottega_prompt"] == (
        "a red mug on a white background\n"
        "\n"
        "Reference image shows: UI layout, composition, background, lighting.\n"
        "Keep exact: layout structure, text positions, color scheme, typography style.\n"
        "Replace model wardrobe with: a black zip hoodie, half open"
    )
    assert json.loads(texts["catalogued"])["combo"] == "C-U-009"
    assert [one["asset"] for one in json.loads(texts["references"])] == ["ui", "pose"]


def test_a_dry_run_shows_the_jobs_and_makes_nothing(workshop: Home, tmp_path: Path) -> None:
    before = workshop.run("list", "--json").stdout
    shown = told(workshop.run("batch", "start", *ORANGE, "--dry-run", "--output", str(tmp_path), "--json"))

    assert [(job["id"], job["combo"]) for job in shown["jobs"]] == [
        ("001", "C-U-009"),
        ("002", "C-U-009"),
        ("003", "C-U-010"),
        ("004", "C-U-010"),
    ]
    assert shown["jobs"][0]["folder"] == "zip-hoodie/v3.2/ZH01_unboxing_experience/Orange/C-U-009"
    assert any("references" in wish for wish in shown["not_honoured"])
    assert list(tmp_path.iterdir()) == []
    assert workshop.run("list", "--json").stdout == before


def test_plain_lines_say_what_happens_where_there_is_no_terminal(workshop: Home, tmp_path: Path) -> None:
    done = workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path))

    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert sum("→ saved" in line for line in lines) == 4
    assert any(line.startswith("[4/4] [") for line in lines)
    assert any(line.startswith("planning the session") for line in lines)
    assert any(line.startswith("4 jobs · waiting for the first picture") for line in lines)
    assert "Wardrobe: zip-hoodie | UI: Orange | Quality: native" in done.stdout
    assert "Completed: 4 | Failed: 0 | Pending: 0" in done.stdout
    assert re.search(r"^time: \d+\.\d s \(.*device \d+\.\d s\)$", done.stdout, re.MULTILINE)
    assert "cost: not priced" in done.stdout


def test_pictures_that_ended_while_nobody_looked_have_their_lines_when_a_session_goes_on(
    workshop: Home, tmp_path: Path
) -> None:
    log = told(workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path), "--json"))
    [path] = logs(tmp_path)
    for job in log["jobs"][1:]:  # as the log is when its process is killed after the first picture
        job.update(status="running", completed=None, output=None)
    path.write_text(json.dumps(log))

    lines = workshop.run("batch", "resume", log["session_id"]).stderr.splitlines()

    assert [line.split("]")[0] + "]" for line in lines if "→ saved" in line] == ["[2/4]", "[3/4]", "[4/4]"]


def test_a_single_picture_is_a_session_of_one_job(workshop: Home, tmp_path: Path) -> None:
    log = told(
        workshop.run(
            *("batch", "single", "--combo", "C-U-001", "--prompt", "catalog_v3.2/ZH01_unboxing_experience.md"),
            *(
                "--wardrobe",
                "zip-hoodie",
                "--quality",
                "2K",
                "--platform",
                "pocket",
                "--output",
                str(tmp_path),
                "--json",
            ),
        )
    )

    assert [(job["combo"], job["ui_style"]) for job in log["jobs"]] == [("C-U-001", "Studio")]
    assert log["jobs"][0]["output"].endswith("-ZH01-256x256.png")


def test_an_upgrade_makes_the_completed_pictures_again_as_a_session_of_its_own(workshop: Home, tmp_path: Path) -> None:
    output = ("--output", str(tmp_path), "--json")
    first = told(workshop.run("batch", "start", *ORANGE, "--quality", "128x128", *output))
    second = told(workshop.run("batch", "upgrade", first["session_id"], "--to-quality", "192x192", *output))
    check_true(second)

    assert second["parent"] == first["session_id"]
    assert second["config"]["quality"] == "192x192"
    assert [(job["prompt_file"], job["combo"]) for job in second["jobs"]] == [
        (job["prompt_file"], job["combo"]) for job in first["jobs"]
    ]
    for before, after in zip(first["jobs"], second["jobs"], strict=True):
        assert after["output"].endswith("-192x192.png")
        assert Path(after["output"]).parent == Path(before["output"]).parent
        with Image.open(after["output"]) as picture:
            assert picture.size == (192, 192)
    same = told(workshop.run("batch", "upgrade", first["session_id"], "--to-quality", "128x128", *output), 2)
    assert "would be the same again" in same["error"]["message"]
    assert len(logs(tmp_path)) == 2


def test_an_unfinished_session_is_pointed_out_before_a_new_one_starts(workshop: Home, tmp_path: Path) -> None:
    first = told(workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path), "--json"))
    [path] = logs(tmp_path)
    first["jobs"][3] |= {"status": "pending", "output": None}
    first["summary"] |= {"completed": 3, "pending": 1}
    path.write_text(json.dumps(first))

    done = workshop.run("batch", "start", *ORANGE, "--prompts", "ZH01", "--output", str(tmp_path))

    assert f"session {first['session_id']} is unfinished (3/4)" in done.stderr.splitlines()[0]
    assert f"bottega batch resume {first['session_id']}" in done.stderr.splitlines()[0]


def test_status_tells_the_truth_of_the_workshop_and_mends_the_log(workshop: Home, tmp_path: Path) -> None:
    first = told(workshop.run("batch", "start", *ORANGE, "--output", str(tmp_path), "--json"))
    [path] = logs(tmp_path)
    stale = json.loads(path.read_bytes())
    stale["jobs"][1] |= {"status": "running", "output": None, "completed": None}
    stale["summary"] |= {"completed": 3, "running": 1}
    path.write_text(json.dumps(stale))

    seen = told(workshop.run("batch", "status", first["session_id"], "--output", str(tmp_path), "--json"))

    assert seen["jobs"] == first["jobs"]
    assert json.loads(path.read_bytes())["summary"]["completed"] == 4


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("--catalogues", "v9"), "$.catalogue.names[0]"),
        (("--catalogues", "v3.2", "--wardrobe", "kilt"), "$.combos.wardrobe"),
        (("--catalogues", "v3.2", "--prompts", "ZH99"), "$.catalogue.prompts[0]"),
        (("--catalogues", "v3.2", "--quality", "huge"), "$.requirements.resolution"),
    ],
)
def test_what_cannot_be_made_is_told_and_leaves_no_session(
    workshop: Home, tmp_path: Path, arguments: tuple[str, ...], path: str
) -> None:
    done = workshop.run("batch", "start", *arguments, "--output", str(tmp_path), "--json")

    assert told(done, 2)["error"]["path"] == path
    assert logs(tmp_path) == []


@pytest.mark.parametrize("command", ["resume", "retry", "status", "upgrade"])
def test_a_session_that_is_not_there_is_bad_input(workshop: Home, tmp_path: Path, command: str) -> None:
    done = workshop.run("batch", command, "2025-01-15-14-30-00", "--output", str(tmp_path), "--json")

    assert "2025-01-15-14-30-00" in told(done, 2)["error"]["message"]


def test_an_output_folder_without_room_is_told_in_one_sentence_and_filled_once_there_is_some(
    workshop: Home, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "out", 64) as output:
        ballast = fill(output)
        made = told(workshop.run("generate", "a red car", "-n", "2", "--out", str(output), "--json"), 2)["error"]
        kept = Path(made["message"].rpartition(" ")[2])
        assert (made["code"], kept.is_relative_to(workshop.folder)) == ("disk_full", True)
        assert made["message"].startswith(f"{output}: No space left on device; the pictures of {kept.name} are in ")
        assert made["hint"].endswith(f"bottega result {kept.name}")
        assert len(list(kept.rglob("*.png"))) >= 2

        begin = ("batch", "start", *ORANGE, "--output", str(output))
        never = workshop.run(*begin)
        assert (never.returncode, never.stdout) == (2, "")
        assert f"error: {output}: No space left on device" in never.stderr.splitlines()
        ballast.write_bytes(bytes(ballast.stat().st_size - 16 * 1024))  # room for the log, not for pictures
        cut = told(workshop.run(*begin, "--json"), 2)["error"]
        ballast.unlink()
        enlarge(output, 4096)
        again = shlex.split(cut["hint"].partition("bottega ")[2])
        assert cut["code"] == "disk_full"
        log = told(workshop.run(*again, "--json"))
        check_true(log)
        assert log["hash"] in cut["message"]
        assert sorted(output.rglob("*.partial")) == []


def test_an_interrupted_session_is_paused_and_goes_on_where_it_was(workshop: Home, tmp_path: Path) -> None:
    output = ("--output", str(tmp_path))
    with workshop.start("batch", "start", *ORANGE, "-n", "150", *output) as session:
        line_with(session, "Catalogues: v3.2")  # before the first news, which may be of all pictures at once
        session.send_signal(signal.SIGINT)
        line_with(session, "paused; go on with: bottega batch resume")
        assert session.wait(timeout=ANSWER_S) == 130
    [path] = logs(tmp_path)
    interrupted = json.loads(path.read_bytes())
    check_true(interrupted)
    assert interrupted["summary"]["paused"] + interrupted["summary"]["pending"] > 0

    assert interrupted["session_id"] in workshop.run("batch", "list").stdout
    log = told(workshop.run("batch", "resume", interrupted["session_id"], "--json"))

    check_true(log)
    assert log["summary"]["completed"] == 600
    assert len(pictures(tmp_path)) == 600


def test_one_failed_job_is_tried_again_and_no_other(home: Home) -> None:
    write_home(home.folder)
    rejecting = {"BOTTEGA_QA_SCORING": "true", "BOTTEGA_MAX_ATTEMPTS": "1"}
    with home.start("up", **rejecting) as up:
        line_with(up, "workshop ready at")
        first = told(home.run("batch", "start", *ORANGE, "--min-score", "1", "--json", **rejecting), 1)
        again = told(home.run("batch", "retry", first["session_id"], "--job", "2", "--json", **rejecting), 1)
        unknown = home.run("batch", "retry", first["session_id"], "--job", "9", "--json", **rejecting)
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0

    check_true(again)
    assert {job["status"] for job in first["jobs"]} == {"failed"}
    assert [job["attempts"] for job in first["jobs"]] == [1, 1, 1, 1]
    assert [job["attempts"] for job in again["jobs"]] == [1, 2, 1, 1]
    assert all("no attempt reached the bar" in job["error"] for job in again["jobs"])
    assert told(unknown, 2)["error"]["code"] == "wrong_state"
