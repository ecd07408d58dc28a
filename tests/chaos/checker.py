"""What an outsider finds in a home at rest: files, rows and blobs, read without any of the workshop's own code.

SQL by hand, pictures by Pillow. Each check returns sentences about what is wrong; none means all is well. The numbers
are those of the invariants in the README beside this file.
"""

import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

_BLOB = re.compile(r"\b[0-9a-f]{64}\b")

TERMINAL = {"completed", "failed", "cancelled"}
Row = dict[str, Any]
Picture = tuple[str, int]
"""(hash of the batch, index)."""


@dataclass
class Found:
    """Everything that lies in a home: rows as dictionaries, files by kind."""

    home: Path
    batches: dict[str, Row] = field(default_factory=dict[str, Row])
    commands: list[Row] = field(default_factory=list[Row])
    jobs: dict[Picture, Row] = field(default_factory=dict[Picture, Row])
    attempts: list[Row] = field(default_factory=list[Row])
    images: dict[Picture, Row] = field(default_factory=dict[Picture, Row])
    outbox: list[Row] = field(default_factory=list[Row])

    @classmethod
    def read(cls, home: Path) -> "Found":
        """Read a home whose processes have ended."""
        found = cls(home)
        ledger, catalogue = home / "ledger.db", home / "catalogue.db"
        found.batches = {row["hash"]: row for row in rows(ledger, "SELECT * FROM batches")}
        found.commands = rows(ledger, "SELECT * FROM commands")
        found.jobs = {(row["hash"], row["index"]): row for row in rows(ledger, "SELECT * FROM jobs")}
        found.attempts = rows(ledger, "SELECT * FROM attempts")
        found.outbox = rows(ledger, "SELECT * FROM outbox")
        found.images = {(row["hash"], row["index"]): row for row in rows(catalogue, "SELECT * FROM images")}
        return found

    def count(self, state: str) -> int:
        """Pictures of all batches in a state, those that were never handed out included."""
        return sum(json.loads(batch["tally"])[state] for batch in self.batches.values())


def _json(value: Any) -> Row:
    """An object that may be missing, or be JSON."""
    if isinstance(value, bytes | str):
        value = json.loads(value)
    return value or {}


def rows(database: Path, query: str) -> list[Row]:
    """The rows of a SQLite file that nobody writes to."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def check(found: Found, answers: Mapping[str, set[str]] | None = None) -> list[str]:
    """Everything that is wrong in a home where all work has ended; `answers` are the batches told per command id."""
    return [
        *pictures_ended_once(found),
        *stored_pictures_are_whole(found),
        *nothing_lies_about(found),
        *attempts_made_their_own_pixels(found),
        *commands_made_one_batch(found, answers or {}),
    ]


def pictures_ended_once(found: Found) -> Iterator[str]:
    """I1: each planned picture is completed, failed for a reason, or cancelled; the counts are those of the rows."""
    states: dict[str, Counter[str]] = {name: Counter() for name in found.batches}
    for (batch, index), job in found.jobs.items():
        if batch not in states or not 0 <= index < found.batches[batch]["quantity"]:
            yield f"I1: job {batch}/{index} belongs to no planned picture"
            continue
        states[batch][job["state"]] += 1
        if job["state"] not in TERMINAL or job["stage"] != "done":
            yield f"I1: picture {batch}/{index} was lost: {job['state']} at {job['stage']}, attempt {job['attempt']}"
        if job["state"] == "failed" and not _json(_json(job["outcome"]).get("error")).get("code"):
            yield f"I1: picture {batch}/{index} failed without a reason"
    for name, batch in found.batches.items():
        tally, counted = json.loads(batch["tally"]), states[name]
        told = {state: tally.get(state, 0) for state in TERMINAL}
        if sum(told.values()) != batch["quantity"]:
            yield f"I1: batch {name} of {batch['quantity']} ended with {told}"
        if told["completed"] != counted["completed"]:
            yield f"I1: batch {name} counts {told['completed']} completed, its jobs {counted['completed']}"
        if any(told[state] < counted[state] for state in ("failed", "cancelled")):
            yield f"I1: batch {name} counts {told}, its jobs {dict(counted)}"
        if batch["state"] not in ("completed", "cancelled"):
            yield f"I1: batch {name} is {batch['state']}"


def stored_pictures_are_whole(found: Found) -> Iterator[str]:
    """I2: a completed job, one row, one file; the blob has its hash, the file decodes to the pixels of the blob."""
    for (batch, index), job in found.jobs.items():
        row, name = found.images.get((batch, index)), f"{batch}/{index}"
        if job["state"] != "completed":
            if row is not None and row["disposition"] == "accepted":
                yield f"I2: picture {name} is {job['state']} and nevertheless in the catalogue as accepted"
            continue
        if row is None:
            yield f"I2: picture {name} is completed and not in the catalogue"
            continue
        outcome = _json(job["outcome"])
        if outcome.get("path") != str(found.home / "pictures" / row["path"]):
            yield f"I2: picture {name} was told to lie in {outcome.get('path')}, the catalogue says {row['path']}"
        if outcome.get("attempt") != row["attempt"]:
            yield f"I2: picture {name} ended with attempt {outcome.get('attempt')}, filed is {row['attempt']}"
        yield from _broken(found.home, name, row)
    for picture in found.images.keys() - found.jobs.keys():
        yield f"I2: the catalogue has {picture}, the ledger not"


def _broken(home: Path, name: str, row: Row) -> Iterator[str]:
    blob = home / "blobs" / row["blob"][:2] / row["blob"]
    path = home / "pictures" / row["path"]
    for file in (blob, path):
        if not file.is_file():
            yield f"I2: picture {name} has no file {file}"
            return
    if hashlib.sha256(blob.read_bytes()).hexdigest() != row["blob"]:
        yield f"I2: the blob of {name} is not what its name says"
    try:
        pixels = _pixels(path)
        original = _pixels(blob)
    except (OSError, SyntaxError, ValueError) as error:
        yield f"I2: picture {name} does not decode: {error}"
        return
    if pixels != original:
        yield f"I2: the pixels in {path.name} are not those of the blob of {name}"
    if (pixels[0], pixels[1]) != (row["width"], row["height"]):
        yield f"I2: picture {name} is {pixels[0]}x{pixels[1]}, its row says {row['width']}x{row['height']}"


def _pixels(path: Path) -> tuple[int, int, bytes]:
    with Image.open(path, formats=["PNG"]) as image:
        image.load()
        return image.width, image.height, image.convert("RGB").tobytes()


def nothing_lies_about(found: Found) -> Iterator[str]:
    """I3: no file without a row, no row without its files, no message unsent, nothing half written."""
    pictures = found.home / "pictures"
    lying = {path.relative_to(pictures) for path in pictures.rglob("*") if path.is_file()}
    sheets = {path for path in lying if path.name == "contact_sheet.png" or path.suffix == ".html"}
    filed = {Path(row["path"]) for row in found.images.values()}
    if len(filed) != len(found.images):
        yield "I3: two pictures share a file"
    expected = filed | {path.with_suffix(".json") for path in filed}
    yield from (f"I3: {path} belongs to no picture" for path in sorted(lying - sheets - expected))
    yield from (f"I3: {path} is missing" for path in sorted(expected - lying))
    for row in found.outbox:
        yield f"I3: {row['message_id']} was never published"


def store_holds_what_is_named(found: Found) -> list[str]:
    """I3, after the retention of days later: a row names each blob, and none is half written."""
    tables = (found.images.values(), found.attempts, found.jobs.values(), found.batches.values())
    named = {name for table in tables for row in table for name in _BLOB.findall(str(row))}
    blobs = [path for path in (found.home / "blobs").rglob("*") if path.is_file()]
    return [f"I3: blob {path.parent.name}/{path.name} belongs to nothing" for path in blobs if path.name not in named]


def attempts_made_their_own_pixels(found: Found) -> Iterator[str]:
    """I2: the pixels noted for an attempt are those of its own seed, where the instant generator drew them: flat, in a
    colour that is the first bytes of the seed's SHA-256."""
    for row in found.attempts:
        picture = _json(_json(row["evidence"]).get("picture"))
        if picture.get("provider") != "instant":
            continue
        blob = found.home / "blobs" / picture["blob"][:2] / picture["blob"]
        name = f"{row['hash']}/{row['index']}, attempt {row['attempt']},"
        if not blob.is_file():
            yield f"I2: {name} has no blob {picture['blob']}"
        elif _pixels(blob)[2][:3] != hashlib.sha256(str(row["seed"]).encode()).digest()[:3]:
            yield f"I2: {name} is noted with the pixels of another seed than {row['seed']}"


def commands_made_one_batch(found: Found, answers: Mapping[str, set[str]]) -> Iterator[str]:
    """I8: a command id has one batch, the one that was told each time; no batch has another origin."""
    for command, told in answers.items():
        kept = {row["hash"] for row in found.commands if row["command_id"] == command}
        if len(told) > 1 or not told <= kept:
            yield f"I8: command {command} was answered with {sorted(told)}, the ledger has {sorted(kept)}"
    made = Counter(row["hash"] for row in found.commands)
    if answers:
        yield from (f"I8: batch {name} was made by no command" for name in found.batches.keys() - made.keys())


def snapshot(found: Found) -> dict[str, Any]:
    """What must be the same after everything was said again, and after everything was started again (I6, I7)."""
    still = ("updated_at", "expires_at", "resends", "revision")  # times, and how often something was said
    tables = {
        "batches": [_plain(_json(row["tally"]) | row, (*still, "tally")) for row in found.batches.values()],
        "jobs": [_plain(row, still) for row in found.jobs.values()],
        "attempts": [_plain(row, still) for row in found.attempts],
        "images": [_plain(row, still) for row in found.images.values()],
    }
    files = sorted(str(path) for path in (found.home / "pictures").rglob("*") if path.is_file())
    return tables | {"files": files}


def _plain(row: Row, without: tuple[str, ...]) -> Row:
    return {name: value for name, value in row.items() if name not in without}
