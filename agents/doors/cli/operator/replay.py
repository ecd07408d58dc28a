"""`bottega dead-letters replay`: sends again what is still expected, and removes the letters.

The planner is asked first whether it waits for the work of a letter: an attempt that is over would use a device once
more for nothing. Events need no such question, because the planner applies each of them once.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing

from msgspec import Struct

from agents.doors.cli.errors import ALL_STORED, SOME_FAILED, bad_input
from agents.doors.cli.operator.dead_letters import require_letter
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.workshop.connection import ask_operator, connect_operator
from bus.dead_letters import DeadLetter
from bus.operator import Operator
from protocol import subjects
from protocol.codec import encode
from protocol.messages import Event, GenerateImage, ScoreImage, StoreImage, Work
from protocol.operator import FindWork
from protocol.replies import WorkReply

UNREADABLE = "its bytes cannot be read, so it would be given up again; it goes by itself after 30 days"


class LetterLeft(Struct, frozen=True, kw_only=True):
    """A letter that was not sent again, and why."""

    id: int
    reason: str


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What `bottega dead-letters replay --json` prints. Neither kind of letter is there any more; `kept` are those
    that cannot be read."""

    replayed: list[int]
    dropped: list[LetterLeft]
    kept: list[LetterLeft]


def replay(id: int | None, everything: bool, pattern: str | None, json: bool) -> int:
    """Send one letter again, or all whose subjects `pattern` covers; returns the exit code."""
    if (id is None) != everything or (id is not None and pattern is not None):
        raise bad_input("which letters?", hint="name one by its id; or --all, with --subject for some of them")
    done = asyncio.run(_replay(id, pattern))
    if json:
        sys.stdout.write(encode(done).decode() + "\n")
        return SOME_FAILED if done.kept else ALL_STORED
    console = open_console()
    for what, letters in (("dropped", done.dropped), ("kept", done.kept)):
        for one in letters:
            console.print(f"{what} {one.id}: {one.reason}", markup=False, soft_wrap=True)
    counts = f"{len(done.replayed)} said again, {len(done.dropped)} dropped, {len(done.kept)} kept"
    console.print(counts, markup=False)
    return SOME_FAILED if done.kept else ALL_STORED


async def replay_letters(operator: Operator, ids: Sequence[int]) -> ReplayResult:
    """What became of each letter. A letter is removed after the broker has the message again: a process that dies in
    between leaves a letter that the next replay drops, or finds in the queue."""
    done = ReplayResult(replayed=[], dropped=[], kept=[])
    for id in ids:
        letter = await operator.dead_letters.find(id)
        if letter is None:
            continue
        content = letter.content
        if content is None:
            done.kept.append(LetterLeft(id=id, reason=UNREADABLE))
            continue
        if reason := await _reason_not_expected(operator, letter, content):
            done.dropped.append(LetterLeft(id=id, reason=reason))
        else:
            await operator.dead_letters.republish(letter)
            done.replayed.append(id)
        await operator.dead_letters.remove(letter)
    return done


async def _replay(id: int | None, pattern: str | None) -> ReplayResult:
    async with connect_operator(load_settings()) as operator:
        if id is not None:
            return await replay_letters(operator, [(await require_letter(operator, id)).id])
        async with aclosing(operator.dead_letters.newest_first()) as newest:
            ids = [one.id async for one in newest if pattern is None or subjects.subject_matches(pattern, one.subject)]
        return await replay_letters(operator, ids[::-1])


async def _reason_not_expected(operator: Operator, letter: DeadLetter, content: Work | Event) -> str | None:
    """Why the work of a letter is not expected; null where it is, and for an event."""
    if isinstance(content, Event):
        return None
    index = content.job.index if isinstance(content, GenerateImage | ScoreImage | StoreImage) else None
    question = FindWork(hash=subjects.batch_of(content), index=index, subject=letter.subject)
    return (await ask_operator(operator, question, WorkReply)).work.reason
