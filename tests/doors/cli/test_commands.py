"""What a person types and what comes back, against one running workshop."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.connection import Address, connect
from protocol.codec import decode_reply
from protocol.messages import ROLES
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from protocol.results import BatchList, GenerationStatus
from tests.doors.cli.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

NOBODY = "nats://127.0.0.1:1"
"""Where no server is."""

COMMAND = '{"cmd": "GENERATE_IMAGES", "brief": "a red car", "requirements": {"quantity": 2}}'


def test_generate_prints_one_object_with_the_pictures_that_it_stored(workshop: Home, tmp_path: Path):
    done = workshop.run("generate", "a red car", "-n", "3", "--seed", "11", "--out", str(tmp_path / "out"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert list(said) == ["hash", "images", "generation_status", "contact_sheet", "phases"]
    assert [image["seed"] for image in said["images"]] == [11, 12, 13]
    for image in said["images"]:
        assert list(image) == ["path", "seed", "prompt", "score", "width", "height", "attempts", "reused"]
        assert "a red car" in image["prompt"]
        assert image["attempts"] == 1
        path = Path(image["path"])
        assert path.parent == tmp_path / "out"
        assert path.read_bytes().startswith(b"\x89PNG")
    assert Path(said["contact_sheet"]).parent == tmp_path / "out"
    status = said["generation_status"]
    assert (status["completed"], status["processing"], status["queued"]) == (3, 0, 0)


def test_generate_says_in_plain_lines_what_happens_where_there_is_no_terminal(workshop: Home):
    done = workshop.run("generate", "a red car", "-n", "2")
    assert done.returncode == 0
    progress = done.stderr.splitlines()
    assert "gen_batch_" in progress[0]
    assert [line.split("]")[0] for line in progress[1:]] == ["[1/2", "[2/2"]
    paths = [line.split()[-1] for line in done.stdout.splitlines()[1:3]]
    assert all(Path(path).is_file() for path in paths)
    assert re.search(r"gen_batch_\w+ · 2 stored · in \d+\.\d s \(.*device \d+\.\d s\)", done.stdout)


def test_a_picture_that_a_person_has_under_the_same_name_is_not_overwritten(workshop: Home, tmp_path: Path):
    first = json.loads(workshop.run("generate", "a car", "--seed", "5", "--out", str(tmp_path), "--json").stdout)
    Path(first["images"][0]["path"]).write_text("painted over by a person")
    second = json.loads(workshop.run("generate", "a car", "--seed", "5", "--out", str(tmp_path), "--json").stdout)
    assert Path(first["images"][0]["path"]).read_text() == "painted over by a person"
    assert second["images"][0]["path"] != first["images"][0]["path"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_made(workshop: Home, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    before = workshop.run("list", "--json").stdout
    done = workshop.run("generate", "a car", "--out", str(tmp_path / "file" / "out"))
    assert done.returncode == 2
    assert str(tmp_path / "file") in done.stderr
    assert workshop.run("list", "--json").stdout == before


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["--platform", "polaroid"], "$.platform"),
        (["--style", "plane"], "$.style"),
        (["--size", "huge"], "$.requirements.resolution"),
        (["--lora", "nobody:0.5"], "$.loras[0].name"),
    ],
)
def test_a_plan_that_is_refused_is_bad_input_with_its_place_and_a_hint(workshop: Home, arguments: list[str], path: str):
    done = workshop.run("generate", "a red car", *arguments, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["path"] == path
    assert error["hint"]


@pytest.mark.parametrize(
    ("arguments", "flag", "hint", "path"),
    [
        (["generate", "a car", "--min-score", "2"], "--min-score", "0 to 1", "$.quality.min_score"),
        (["generate", "a car", "--sampler", "Eulre a"], "--sampler", "did you mean", "$.sampler"),
        (["status", "gen_nobody"], "HASH", "see bottega list", "$.hash"),
    ],
)
def test_what_is_refused_is_told_in_flags_to_a_person_and_in_json_to_a_program(
    workshop: Home, arguments: list[str], flag: str, hint: str, path: str
):
    told = workshop.run(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert f"\n   at: {flag}\n" in told.stderr
    assert hint in told.stderr
    assert "$." not in told.stderr
    assert json.loads(workshop.run(*arguments, "--json").stdout)["error"]["path"] == path


def test_an_order_is_held_on_wish_and_made_once_it_is_approved(workshop: Home):
    asked = (
        "generate",
        "--prompt",
        "a red car",
        "--sweep",
        "steps=4,5",
        "--name-template",
        "{prompt}_{seed}",
        "--hold",
    )
    shown = workshop.run(*asked, "--section", "hero", "--seed", "7")
    assert shown.returncode == 0
    assert re.search(r"^pictures +2", shown.stdout, re.MULTILINE)
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC:", shown.stdout)
    [(batch, token)] = re.findall(r"bottega approve (gen_batch_\w+) (\w+)", shown.stdout)
    assert workshop.run("approve", batch, token).returncode == 0
    assert workshop.run("status", batch, "--watch").returncode == 0
    images = json.loads(workshop.run("result", batch, "--json").stdout)["generation_result"]["images"]
    names = [Path(image["path"]).name for image in images]
    assert [image["metadata"]["prompt_used"] for image in images] == ["a red car"] * 2
    assert all(name.startswith("a-red-car_7_") for name in names), names


def test_send_prints_the_reply_as_it_came(workshop: Home, tmp_path: Path):
    (tmp_path / "command.json").write_text(COMMAND)
    for source, stdin in ((str(tmp_path / "command.json"), ""), ("-", COMMAND)):
        done = workshop.run("send", source, stdin=stdin)
        assert done.returncode == 0
        assert isinstance(decode_reply(done.stdout.encode()), GenerationPlan)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("not json", "invalid_json"),
        ('{"cmd": "GENERATE_IMAGE"}', "unknown_command"),
        ('{"cmd": "STATUS", "hash": "nobody"}', "unknown_batch"),
    ],
)
def test_send_ends_with_2_when_the_reply_is_an_error(workshop: Home, command: str, code: str):
    done = workshop.run("send", "-", stdin=command)
    assert done.returncode == 2
    reply = decode_reply(done.stdout.encode())
    assert isinstance(reply, ErrorReply)
    assert reply.error.code == code


def test_a_file_that_is_not_there_is_bad_input(workshop: Home):
    done = workshop.run("send", "nowhere.json")
    assert done.returncode == 2
    assert "nowhere.json" in json.loads(done.stdout)["error"]["message"]


def test_a_plan_is_held_until_it_is_approved(workshop: Home):
    done = workshop.run("plan", "-", "--hold", "--json", stdin=COMMAND)
    assert done.returncode == 0
    plan = decode_reply(done.stdout.encode())
    assert isinstance(plan, GenerationPlan)
    assert plan.generation_plan.state == "held"
    assert plan.hash
    assert plan.generation_plan.approval
    assert workshop.run("approve", plan.hash, "wrong-token").returncode == 2
    waiting = workshop.run("status", plan.hash, "--watch")
    assert waiting.returncode == 2
    assert f"bottega approve {plan.hash}" in waiting.stderr
    assert workshop.run("approve", plan.hash, plan.generation_plan.approval).returncode == 0
    watched = workshop.run("status", plan.hash, "--watch", "--json")
    assert watched.returncode == 0
    status = decode_reply(watched.stdout.encode())
    assert isinstance(status, GenerationStatus)
    assert status.generation_status.completed == 2


def test_a_plan_is_shown_readably_with_how_to_approve_it(workshop: Home):
    done = workshop.run("plan", "-", "--hold", stdin=COMMAND)
    assert done.returncode == 0
    assert re.search(r"^state +held", done.stdout, re.MULTILINE)
    assert re.search(r"^pictures +2", done.stdout, re.MULTILINE)
    assert re.search(r"bottega approve gen_batch_\w+ \w+", done.stdout)


def test_a_plan_that_is_not_held_is_shown_and_is_in_no_list(workshop: Home):
    before = workshop.run("list", "--json").stdout
    done = workshop.run("plan", "-", stdin=COMMAND)
    assert done.returncode == 0
    assert re.search(r"^state +planned", done.stdout, re.MULTILINE)
    assert re.search(r"^cost +not priced", done.stdout, re.MULTILINE)
    assert re.search(r"^ +2\. .*a red car", done.stdout, re.MULTILINE)
    assert "approve" not in done.stdout
    assert workshop.run("list", "--json").stdout == before


def test_a_cancelled_batch_is_not_made(workshop: Home):
    plan = decode_reply(workshop.run("send", "-", stdin=COMMAND.replace("2", "500")).stdout.encode())
    assert isinstance(plan, GenerationPlan)
    assert plan.hash
    assert workshop.run("cancel", plan.hash).returncode == 0
    done = workshop.run("status", plan.hash, "--watch", "--json")
    assert done.returncode == 1
    status = decode_reply(done.stdout.encode())
    assert isinstance(status, GenerationStatus)
    assert status.generation_status.cancelled
    assert status.generation_status.state == "cancelled"
    assert workshop.run("status", "--watch", "--json").stdout == done.stdout
    shown = workshop.run("status", plan.hash)
    assert (shown.returncode, re.findall(r"^state +(\w+)", shown.stdout, re.MULTILINE)) == (1, ["cancelled"])


def test_a_batch_is_paused_moved_amended_and_goes_on(workshop: Home):
    plan = decode_reply(workshop.run("send", "-", stdin=COMMAND.replace("2", "3000")).stdout.encode())
    assert isinstance(plan, GenerationPlan)
    assert plan.hash
    paused = workshop.run("pause", plan.hash, "--json")
    assert json.loads(paused.stdout)["generation_status"]["state"] == "paused"
    assert re.search(r"^state +paused", workshop.run("status", plan.hash).stdout, re.MULTILINE)
    assert "paused" in workshop.run("list").stdout
    assert workshop.run("priority", plan.hash, "interactive").returncode == 0
    (listed, *_) = json.loads(workshop.run("list", "--json").stdout)["batch_list"]["batches"]
    assert (listed["state"], listed["priority"]) == ("paused", "interactive")
    assert workshop.run("amend", plan.hash).returncode == 2
    assert workshop.run("amend", plan.hash, "-n", "1").returncode == 2
    resumed = workshop.run("resume", plan.hash, "--json")
    assert "state" not in json.loads(resumed.stdout)["generation_status"]
    assert workshop.run("cancel", plan.hash, "--image", "2999").returncode == 0
    assert workshop.run("cancel", plan.hash, "--pending").returncode == 0
    final = json.loads(workshop.run("status", plan.hash, "--watch", "--json").stdout)["generation_status"]
    assert final["completed"] + final["cancelled"] == 3000


def test_pictures_are_made_again_larger_and_the_pages_of_a_result_are_shown(workshop: Home):
    made = json.loads(workshop.run("generate", "a red car", "-n", "3", "--seed", "5", "--json").stdout)
    assert workshop.run("upgrade", made["hash"]).returncode == 2
    plan = decode_reply(
        workshop.run("upgrade", made["hash"], "--quality", "hd", "--image", "1", "--json").stdout.encode()
    )
    assert isinstance(plan, GenerationPlan)
    assert plan.hash
    assert plan.generation_plan.quantity == 1
    assert workshop.run("status", plan.hash, "--watch").returncode == 0
    result = json.loads(workshop.run("result", plan.hash, "--json").stdout)["generation_result"]
    assert [image["parent"] for image in result["images"]] == [f"{made['hash']}_000001"]
    assert result["images"][0]["metadata"]["seed"] == 6
    shown = workshop.run("result", made["hash"], "-n", "2").stdout
    assert f"more: bottega result {made['hash']} --first 2" in shown
    same = workshop.run("upgrade", made["hash"], "--quality", "standard")
    assert (same.returncode, "would be the same again" in same.stderr) == (2, True)
    assert workshop.run("upgrade", made["hash"], "--quality", "standard", "--image", "1").returncode == 2
    whole = workshop.run("upgrade", made["hash"], "--size", "4K")
    assert re.search(r"not honoured: resolution: .*\ngo on with: bottega status gen_batch_\w+ --watch", whole.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "gen_nobody"],
        ["retry", "gen_nobody", "--image", "3"],
        ["upgrade", "gen_nobody", "--quality", "hd"],
        ["result", "gen_nobody"],
        ["status", "gen_nobody"],
    ],
)
def test_a_batch_that_nobody_knows_is_never_done(workshop: Home, arguments: list[str]):
    done = workshop.run(*arguments, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["hint"]) == ("unknown_batch", "see LIST")


def test_status_tells_every_process_with_its_pid(workshop: Home):
    said = json.loads(workshop.run("status", "--json").stdout)
    assert sorted(process["role"] for process in said["processes"]) == sorted(ROLES)
    assert all(Path(f"/proc/{process['pid']}").exists() for process in said["processes"])
    assert all(process["instance"] for process in said["processes"])
    assert said["nats"]["url"].startswith("nats://127.0.0.1:")
    assert Path(f"/proc/{said['nats']['pid']}").exists()
    assert Path(f"/proc/{said['supervisor']}").exists()
    shown = workshop.run("status").stdout
    assert all(role in shown for role in ROLES)


def test_list_shows_the_newest_batch_first(workshop: Home):
    made = json.loads(workshop.run("generate", "a green frog", "--json").stdout)
    batches = decode_reply(workshop.run("list", "--json").stdout.encode())
    assert isinstance(batches, BatchList)
    assert batches.batch_list.batches[0].hash == made["hash"]
    assert made["hash"] in workshop.run("list").stdout


def test_a_hash_is_shown_whole_where_a_line_is_short(workshop: Home):
    made = json.loads(workshop.run("generate", "a green frog that sits on a very long log", "--json").stdout)
    assert f"{made['hash']}  completed" in workshop.run("list", COLUMNS="70").stdout


def test_the_url_opens_a_connection_for_any_client(workshop: Home):
    async def talk(url: str) -> bytes:
        connection = await connect(Address.parse(url), name="a stranger", wait_s=5)
        try:
            answer = await connection.client.request("acp.v1.command.local", b'{"cmd": "LIST"}', timeout=5)
            return answer.data
        finally:
            await connection.close()

    url = workshop.run("url").stdout.strip()
    assert re.fullmatch(r"nats://client_local:[\w-]+@127\.0\.0\.1:\d+", url)
    assert json.loads(workshop.run("url", "--json").stdout) == {"url": url}
    assert isinstance(decode_reply(asyncio.run(talk(url))), BatchList)


def test_a_second_workshop_in_the_same_home_is_refused(workshop: Home):
    done = workshop.run("up")
    assert done.returncode == 2
    assert f"a workshop runs in {workshop.folder} already" in done.stderr


def test_models_are_listed_and_their_folders_told(workshop: Home):
    said = json.loads(workshop.run("models", "--json").stdout)
    known = {model["name"]: model["installed"] for model in said["models"]}
    assert {"pocket", "base_sdxl"} <= set(known)
    assert "base_sdxl" in workshop.run("models").stdout
    absent = workshop.run("models", "path", "base_sdxl")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "bottega models pull base_sdxl" in absent.stderr
    misspelt = workshop.run("models", "path", "base_sdx")
    assert misspelt.returncode == 2
    assert "base_sdxl" in misspelt.stderr
    (workshop.folder / "models" / "base_sdxl").mkdir(parents=True)
    (workshop.folder / "models" / "base_sdxl" / "model_index.json").write_text("{}")
    folder = str(workshop.folder / "models" / "base_sdxl")
    assert workshop.run("models", "path", "base_sdxl").stdout == f"{folder}\n"
    assert json.loads(workshop.run("models", "path", "base_sdxl", "--json").stdout) == {"path": folder}


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["list"], ["url"], ["send", "-"], ["cancel", "batch"], ["pause", "batch"], ["agent", "qa"]],
)
def test_without_a_workshop_there_is_nothing_to_talk_to(home: Home, arguments: list[str]):
    done = home.run(*arguments, stdin=COMMAND)
    assert done.returncode == 3
    assert "bottega up" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["status", "--json"], ["generate", "a red car", "--json"]])
def test_a_server_that_does_not_answer_is_named_in_one_object(home: Home, arguments: list[str]):
    done = home.run(*arguments, BOTTEGA_NATS_URL=NOBODY, BOTTEGA_CONNECT_S="0.5")
    assert done.returncode == 3
    assert NOBODY in json.loads(done.stdout)["error"]["message"]


def test_the_doctor_asks_the_server_that_the_settings_name(home: Home, workshop: Home):
    done = home.run("doctor", "--json", BOTTEGA_NATS_URL=NOBODY, BOTTEGA_CONNECT_S="0.5")
    assert done.returncode == 1
    states = {check["name"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    assert states["nats-server"] == "failed"
    url = workshop.run("url").stdout.strip()
    told = json.loads(home.run("doctor", "--json", BOTTEGA_NATS_URL=url).stdout)["checks"]
    (server,) = (check for check in told if check["name"] == "nats-server")
    assert server["state"] == "ok"
    assert all(role in server["detail"] for role in ROLES)


def test_status_tells_which_disk_was_full_and_since_when_a_broker_stores_nothing(home: Home, workshop: Home):
    url = workshop.run("url").stdout.strip()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"full": [{"folder": "/disk", "since": now, "until": now}], "unstored_since": now}
    (home.folder / "run").mkdir(parents=True)
    (home.folder / "run" / "disks.json").write_text(json.dumps(record))
    told = json.loads(home.run("status", "--json", BOTTEGA_NATS_URL=url).stdout)
    assert (told["disks"], told["unstored_since"]) == (record["full"], now)
    said = home.run("status", BOTTEGA_NATS_URL=url).stdout
    assert "the disk of /disk was full from " in said
    assert "has stored nothing since " in said


def test_the_doctor_names_what_to_do(home: Home):
    done = home.run("doctor", "--json")
    said = json.loads(done.stdout)
    states = {check["name"]: check["state"] for check in said["checks"]}
    assert states["python"] == states["nats-server"] == states["home"] == "ok"
    assert all(check["advice"] for check in said["checks"] if check["state"] == "failed")
    assert done.returncode == (0 if said["healthy"] else 1)
