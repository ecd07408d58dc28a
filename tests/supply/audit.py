"""`python -m tests.supply.audit PIP_AUDIT`: are vulnerabilities known in what the lock files name?

Asks pip-audit, one source of advisories after the other. pip-audit alone reports "no known vulnerabilities" also for
packages that its source has not heard of; here what was not looked at is called not checked. Exit code 1 where
something is found, 0 otherwise."""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
FILES = ("requirements.lock", "constraints.txt", "tests/supply/tools.lock")
SOURCES = ("pypi", "osv")
"""Sources of advisories, as pip-audit names them."""

PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says of one file."""

    checked: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    reason: str = ""
    """Why nothing was checked, where nothing was."""

    def report(self, file: str, source: str) -> list[str]:
        """Lines for people."""
        lines = [f"{file}: {len(self.checked)} checked ({source}), {len(self.findings)} found"]
        if self.skipped:
            lines.append(f"  not checked, since {source} does not know them: {', '.join(self.skipped)}")
        return [*lines, *(f"  {finding}" for finding in self.findings)]


def read_answer(output: str, complaint: str) -> Answer:
    """What pip-audit wrote: a JSON report, or nothing of the kind and a complaint."""
    try:
        report: dict[str, list[dict[str, Any]]] = json.loads(output)
    except ValueError:
        last = [line for line in complaint.splitlines() if line.strip()][-1:]
        return Answer(reason=last[0][:200] if last else "pip-audit gave no report")
    entries = report["dependencies"]
    skipped = tuple(entry["name"] for entry in entries if "skip_reason" in entry)
    checked = tuple(f"{entry['name']} {entry['version']}" for entry in entries if "skip_reason" not in entry)
    findings = tuple(
        f"{entry['name']} {entry['version']}: {found['id']}, "
        + (f"mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else "no mended version")
        for entry in entries
        for found in entry.get("vulns", ())
    )
    reason = "" if checked else f"knows none of {len(skipped)} packages, so it is not there"
    return Answer(checked, skipped, findings, reason)


def ask(pip_audit: Path, source: str, file: str) -> Answer:
    """What a source knows of the packages in a file. Nothing is installed for it."""
    command = [str(pip_audit), "--vulnerability-service", source, "--requirement", file, "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--desc", "off", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return Answer(reason=f"no answer within {PATIENCE_S} s")
    return read_answer(done.stdout, done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.supply.audit", description=__doc__)
    parser.add_argument("pip_audit", type=Path, help="the program, such as .tools/bin/pip-audit")
    options = parser.parse_args()

    silent: dict[str, str] = {}
    found = False
    for file in FILES:
        for source in SOURCES:
            if source in silent:
                continue
            answer = ask(options.pip_audit, source, file)
            if answer.reason:
                silent[source] = answer.reason
                continue
            print("\n".join(answer.report(file, source)))
            found |= bool(answer.findings)
            break
        else:
            print(f"{file}: not checked")
    for source, reason in silent.items():
        print(f"{source} did not answer: {reason}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
