"""What a person is told that pictures cost."""

import json
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from agents.doors.cli.errors import Failure
from agents.doors.cli.operator.costs import parse_time
from protocol.accounts import CostReport
from protocol.codec import decode_reply
from tests.doors.cli.conftest import ANSWER_S, Home, line_with


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A home in which a workshop runs whose device has a price."""
    home = Home(tmp_path_factory.mktemp("home"))
    with home.start("up", BOTTEGA_GPU_PRICE_PER_HOUR="100000") as up:
        line_with(up, "workshop ready at")
        yield home
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0


def report_of(home: Home, *arguments: str) -> CostReport:
    done = home.run(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    reply = decode_reply(done.stdout.encode())
    assert isinstance(reply, CostReport)
    return reply


@pytest.mark.parametrize(
    ("text", "ends", "expected"),
    [
        ("2026-11-01", False, datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-30", True, datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-11-30T00:00", True, datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-30T12:00:00Z", True, datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30T12:00+01:00", False, datetime(2026, 11, 30, 11, tzinfo=UTC)),
    ],
)
def test_a_day_that_ends_a_span_is_in_it_and_no_zone_is_utc(text: str, ends: bool, expected: datetime) -> None:
    assert parse_time("--until", text, ends) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "9999-12-31"])
def test_what_is_no_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(Failure) as caught:
        parse_time("--until", text, ends=True)
    assert "2026-11-01" in (caught.value.body.hint or "")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_costs_are_shown_in_a_table_with_their_total(workshop: Home) -> None:
    before = report_of(workshop, "costs").costs.total
    made = json.loads(workshop.run("generate", "a red car", "-n", "2", "--no-reuse", "--json").stdout)
    report = report_of(workshop, "costs").costs
    assert (report.client_id, report.by, report.total.completed - before.completed) == ("local", "provider", 2)
    (of_batch,) = report_of(workshop, "costs", "--batch", made["hash"], "--by", "batch").costs.groups
    assert (of_batch.name, of_batch.charges.completed) == (made["hash"], 2)
    shown = workshop.run("costs").stdout
    assert shown.startswith("costs of local, all time\n")
    figures = rf"{report.total.cost:.6f} +{report.total.attempts} +{report.total.completed} +[\d.]+"
    assert re.search(rf"^instant +{figures}", shown, re.MULTILINE)
    assert re.search(rf"^total +{figures}", shown, re.MULTILINE)
    assert "no limit" in shown


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_operator_is_shown_what_the_client_is(workshop: Home) -> None:
    workshop.run("generate", "a red car", "--json")
    assert report_of(workshop, "clients", "costs", "local") == report_of(workshop, "costs")
    assert workshop.run("clients", "costs", "local", "--by", "model").stdout.startswith("costs of local, all time\n")
    assert workshop.run("clients", "costs", "nobody").returncode == 2


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_span_has_what_was_charged_in_it(workshop: Home) -> None:
    workshop.run("generate", "a red car", "--json")
    today = datetime.now(UTC).date()
    whole = report_of(workshop, "costs").costs.total
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    around = report_of(workshop, "costs", "--since", str(yesterday), "--until", str(tomorrow)).costs
    assert (around.total, around.until) == (whole, f"{tomorrow + timedelta(days=1)}T00:00:00+00:00")
    earlier = workshop.run("costs", "--until", str(yesterday))
    assert "nothing was charged" in earlier.stdout
    refused = workshop.run("costs", "--since", str(tomorrow), "--until", str(yesterday), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["path"]) == (2, "$.until")
