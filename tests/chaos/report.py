"""What a campaign found: a JSON file, a short table, and counts that add up over all runs of a checkout."""

import json
import platform
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bus.server import server_binary
from tests.chaos.campaign import Outcome

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".chaos"
"""Reports, totals, and the homes of campaigns that found something; not in the repository."""

PACKAGES = ("nats-py", "sqlalchemy", "msgspec", "pillow")


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed (nearest rank); null where there is none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 100) // 100) - 1)]


def as_data(name: str, outcome: Outcome) -> dict[str, Any]:
    """The report of one campaign."""
    return {
        "campaign": name,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 1),
        "done": dict(sorted(outcome.done.items())),
        "failpoints": dict(sorted(outcome.failpoints.items())),
        "counts": outcome.counts,
        "recovery_s": {cause: recovery(times) for cause, times in sorted(outcome.recoveries.items())},
        "problems": outcome.problems,
        "versions": versions(),
    }


def recovery(times: Sequence[float]) -> dict[str, float | int | None]:
    """How long it took, in seconds, until a picture was stored again."""
    shown = {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99), "most": max(times, default=None)}
    return {"count": len(times), **{name: None if v is None else round(v, 2) for name, v in shown.items()}}


def versions() -> dict[str, str]:
    """Of everything that could make a difference."""
    return {
        "commit": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
        "nats-server": _said(str(server_binary()), "--version"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        **{package: version(package) for package in PACKAGES},
    }


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() or "unknown"


def added(totals: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """The totals of all runs, this one included. Pure."""
    clean = not report["problems"]
    sums: dict[str, dict[str, int]] = {}
    for name in ("done", "failpoints", "counts"):
        before: dict[str, int] = totals.get(name, {})
        sums[name] = dict(Counter(before) + Counter(report[name]))
    return {
        "campaigns": totals.get("campaigns", 0) + 1,
        "clean": totals.get("clean", 0) + clean,
        "seconds": round(totals.get("seconds", 0) + report["seconds"], 1),
        **sums,
        "red_seeds": [*totals.get("red_seeds", []), *([] if clean else [f"{report['campaign']} {report['seed']}"])],
    }


def keep(report: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write the report, and add it to the totals; returns the report's file."""
    folder.mkdir(exist_ok=True)
    totals_file = folder / "totals.json"
    totals: dict[str, Any] = json.loads(totals_file.read_text()) if totals_file.exists() else {}
    report["totals"] = added(totals, report)
    file = folder / f"{report['campaign']}-{report['seed']}.json"
    for path, content in ((file, report), (totals_file, report["totals"])):
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(path)
    return file


def table(report: Mapping[str, Any]) -> str:
    """The report for a person."""
    done, totals = report["done"], report["totals"]
    deaths, pictures = totals["done"].get("deaths", 0), totals["counts"].get("pictures", 0)
    lines = [
        f"{report['campaign']}, seed {report['seed']}: {report['seconds']} s, commit {report['versions']['commit']}",
        "  done        " + _listed(done),
        "  pictures    " + _listed(report["counts"]),
    ]
    if passes := report["failpoints"]:
        lines.append(
            f"  failpoints  {len(passes)} points, {sum(passes.values())} passes, {min(passes.values())} at least"
        )
    for cause, times in report["recovery_s"].items():
        lines.append(f"  recovery    {cause}: {times['count']} times, p50 {times['p50']} s, p99 {times['p99']} s")
    lines.append(
        f"  so far      {totals['campaigns']} campaigns, {totals['clean']} clean, {deaths} deaths, {pictures} pictures"
    )
    lines += [f"  WRONG       {problem}" for problem in report["problems"]] or [
        "  nothing lost, nothing doubled, nothing left over"
    ]
    return "\n".join(lines)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
