"""`bottega dead-letters list` and `show`: messages that were given up, and why."""

import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.markup import escape
from rich.table import Table

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.workshop.connection import connect_operator
from bus.dead_letters import DeadLetter
from bus.operator import Operator
from protocol import subjects
from protocol.codec import encode

MAX_SHOWN_CHARS = 20_000
"""Of a message that a terminal shows; `--json` and `--raw` have all of it."""


class LetterSummary(Struct, frozen=True, kw_only=True):
    """A letter in a list. `kind`, `hash` and `client` are null where the message cannot be read, or has none."""

    id: int
    at: str
    role: str
    subject: str
    kind: str | None
    client: str | None
    hash: str | None
    code: str
    reason: str
    delivered: int


class DeadLetterList(Struct, frozen=True, kw_only=True):
    """What `bottega dead-letters list --json` prints. `next` is the letter to give to --before, null at the end."""

    dead_letters: list[LetterSummary]
    next: int | None


class DeadLetterDetails(Struct, frozen=True, kw_only=True):
    """What `bottega dead-letters show --json` prints. `message` is null where it cannot be read."""

    dead_letter: LetterSummary
    origin: str
    size_bytes: int
    message: Any


def show_page(count: int, before: int | None, pattern: str | None, json: bool) -> None:
    """Show letters, newest first."""
    found = asyncio.run(_fetch_page(count, before, pattern))
    if json:
        sys.stdout.write(encode(found).decode() + "\n")
        return
    console = open_console()
    if not found.dead_letters:
        console.print("no dead letters", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "age", "role", "kind", "client", "batch", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    now = datetime.now(UTC)
    for one in found.dead_letters:
        reason = escape(one.reason)
        table.add_row(str(one.id), format_age(one.at, now), one.role, one.kind, one.client, one.hash, reason)
    console.print(table)
    if found.next is not None:
        console.print(f"older: bottega dead-letters list --before {found.next}", markup=False)


def show_letter(id: int, raw: Path | None, json: bool) -> None:
    """Show a letter; keep its bytes in a file where that is wished."""
    letter = asyncio.run(_fetch_letter(id))
    if raw is not None:
        raw.write_bytes(letter.data)
    content = letter.content
    shown = DeadLetterDetails(
        dead_letter=summary_of(letter),
        origin=letter.origin,
        size_bytes=len(letter.data),
        message=None if content is None else msgspec.to_builtins(content),
    )
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return
    console = open_console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for name, value in (
        ("letter", str(letter.id)),
        ("given up", f"{letter.at.isoformat(timespec='seconds')} by {letter.role}, at delivery {letter.delivered}"),
        ("reason", letter.reason),
        ("subject", letter.subject),
        ("origin", letter.origin),
        ("bytes", str(len(letter.data))),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    if content is None:
        console.print("its bytes cannot be read as a message; --raw FILE keeps them", markup=False)
        return
    text = msgspec.json.format(encode(content), indent=2).decode()
    console.print(text[:MAX_SHOWN_CHARS], markup=False, highlight=False, soft_wrap=True)
    if len(text) > MAX_SHOWN_CHARS:
        console.print(f"… {len(text) - MAX_SHOWN_CHARS} more characters: --json has all of them", markup=False)


def format_age(at: str, now: datetime) -> str:
    """How long ago, in its largest unit."""
    seconds = max(0, int((now - datetime.fromisoformat(at)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def summary_of(letter: DeadLetter) -> LetterSummary:
    """A line of a list."""
    content = letter.content
    return LetterSummary(
        id=letter.id,
        at=letter.at.isoformat(timespec="seconds"),
        role=letter.role,
        subject=letter.subject,
        kind=None if content is None else type(content).__name__,
        client=None if content is None else subjects.client_of(content),
        hash=None if content is None else subjects.batch_of(content),
        code=letter.code,
        reason=letter.reason,
        delivered=letter.delivered,
    )


async def _fetch_page(count: int, before: int | None, pattern: str | None) -> DeadLetterList:
    shown: list[LetterSummary] = []
    async with (
        connect_operator(load_settings()) as operator,
        aclosing(operator.dead_letters.newest_first(before)) as letters,
    ):
        async for letter in letters:
            if pattern is not None and not subjects.subject_matches(pattern, letter.subject):
                continue
            if len(shown) == count:
                return DeadLetterList(dead_letters=shown, next=shown[-1].id)
            shown.append(summary_of(letter))
    return DeadLetterList(dead_letters=shown, next=None)


async def _fetch_letter(id: int) -> DeadLetter:
    async with connect_operator(load_settings()) as operator:
        return await require_letter(operator, id)


async def require_letter(operator: Operator, id: int) -> DeadLetter:
    """The letter with this id.

    Raises:
        Failure: there is none.
    """
    letter = await operator.dead_letters.find(id)
    if letter is None:
        raise bad_input(f"there is no dead letter {id}", hint="see bottega dead-letters list")
    return letter
