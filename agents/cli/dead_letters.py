"""`bottega dead-letters`: messages that were given up, why, and whether they may be said again."""

import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.cli.configuration import configured
from agents.cli.failure import bad_input
from agents.cli.session import operating, told
from bus.dead_letters import DeadLetter
from bus.operator import Operator
from protocol import subjects
from protocol.codec import encode
from protocol.messages import Event, GenerateImage, ScoreImage, StoreImage
from protocol.operator import FindWork
from protocol.replies import WorkReply

SHOWN_CHARS = 20_000
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


class DeadLetterShown(Struct, frozen=True, kw_only=True):
    """What `bottega dead-letters show --json` prints. `message` is null where it cannot be read."""

    dead_letter: LetterSummary
    origin: str
    size_bytes: int
    message: Any


class Dropped(Struct, frozen=True, kw_only=True):
    """A letter that was not said again, and why."""

    id: int
    reason: str


class Replayed(Struct, frozen=True, kw_only=True):
    """What `bottega dead-letters replay --json` prints. Neither kind of letter is there any more."""

    replayed: list[int]
    dropped: list[Dropped]


def page(count: int, before: int | None, pattern: str | None, json: bool) -> None:
    """Show letters, newest first."""
    found = asyncio.run(_page(count, before, pattern))
    if json:
        sys.stdout.write(encode(found).decode() + "\n")
        return
    console = Console()
    if not found.dead_letters:
        console.print("no dead letters", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "age", "role", "kind", "client", "batch", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    now = datetime.now(UTC)
    for one in found.dead_letters:
        reason = escape(one.reason)
        table.add_row(str(one.id), age(one.at, now), one.role, one.kind, one.client, one.hash, reason)
    console.print(table)
    if found.next is not None:
        console.print(f"older: bottega dead-letters list --before {found.next}", markup=False)


def show(id: int, raw: Path | None, json: bool) -> None:
    """Show a letter; keep its bytes in a file where that is wished."""
    letter = asyncio.run(_one(id))
    if raw is not None:
        raw.write_bytes(letter.data)
    content = letter.content
    shown = DeadLetterShown(
        dead_letter=summary(letter),
        origin=letter.origin,
        size_bytes=len(letter.data),
        message=None if content is None else msgspec.to_builtins(content),
    )
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return
    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for name, value in (
        ("letter", str(letter.id)),
        ("given up", f"{letter.at.isoformat(timespec='seconds')} by {letter.role}, delivered {letter.delivered} times"),
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
    console.print(text[:SHOWN_CHARS], markup=False, highlight=False, soft_wrap=True)
    if len(text) > SHOWN_CHARS:
        console.print(f"… {len(text) - SHOWN_CHARS} more characters: --json has all of them", markup=False)


def replay(id: int | None, everything: bool, pattern: str | None, json: bool) -> None:
    """Say letters again whose work is still expected, and take them all away."""
    if (id is None) != everything or (id is not None and pattern is not None):
        raise bad_input("which letters?", hint="name one by its id; or --all, with --subject for some of them")
    done = asyncio.run(_replay(id, pattern))
    if json:
        sys.stdout.write(encode(done).decode() + "\n")
        return
    console = Console()
    for one in done.dropped:
        console.print(f"dropped {one.id}: {one.reason}", markup=False, soft_wrap=True)
    console.print(f"{len(done.replayed)} said again, {len(done.dropped)} dropped", markup=False)


def matches(pattern: str, subject: str) -> bool:
    """Whether a NATS pattern covers a subject: `*` is one token, a last `>` one or more."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        if len(given) < len(wanted):
            return False
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    return len(wanted) == len(given) and all(one in ("*", token) for one, token in zip(wanted, given, strict=True))


def age(at: str, now: datetime) -> str:
    """How long ago, in its largest unit."""
    seconds = max(0, int((now - datetime.fromisoformat(at)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def summary(letter: DeadLetter) -> LetterSummary:
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


async def _page(count: int, before: int | None, pattern: str | None) -> DeadLetterList:
    shown: list[LetterSummary] = []
    async with operating(configured()) as operator, aclosing(operator.letters.newest_first(before)) as letters:
        async for letter in letters:
            if pattern is not None and not matches(pattern, letter.subject):
                continue
            if len(shown) == count:
                return DeadLetterList(dead_letters=shown, next=shown[-1].id)
            shown.append(summary(letter))
    return DeadLetterList(dead_letters=shown, next=None)


async def _one(id: int) -> DeadLetter:
    async with operating(configured()) as operator:
        return await _found(operator, id)


async def _found(operator: Operator, id: int) -> DeadLetter:
    letter = await operator.letters.find(id)
    if letter is None:
        raise bad_input(f"there is no dead letter {id}", hint="see bottega dead-letters list")
    return letter


async def _replay(id: int | None, pattern: str | None) -> Replayed:
    """One letter, or all that match, the oldest first."""
    said: list[int] = []
    dropped: list[Dropped] = []
    async with operating(configured()) as operator:
        if id is not None:
            ids = [(await _found(operator, id)).id]
        else:
            async with aclosing(operator.letters.newest_first()) as letters:
                ids = [one.id async for one in letters if pattern is None or matches(pattern, one.subject)]
        for one in reversed(ids):
            letter = await operator.letters.find(one)
            if letter is None:
                continue
            if reason := await _unwanted(operator, letter):
                dropped.append(Dropped(id=one, reason=reason))
            else:
                await operator.letters.say_again(letter)
                said.append(one)
            await operator.letters.remove(letter)
    return Replayed(replayed=said, dropped=dropped)


async def _unwanted(operator: Operator, letter: DeadLetter) -> str | None:
    """Why a letter is not said again; null where it is. Events are: the planner hears each of them once."""
    content = letter.content
    if content is None:
        raise bad_input(
            f"letter {letter.id} cannot be read, so it would be given up again",
            hint=f"keep its bytes: bottega dead-letters show {letter.id} --raw FILE",
        )
    if isinstance(content, Event):
        return None
    index = content.job.index if isinstance(content, GenerateImage | ScoreImage | StoreImage) else None
    question = FindWork(hash=subjects.batch_of(content), index=index, subject=letter.subject)
    return (await told(operator, question, WorkReply)).work.reason
