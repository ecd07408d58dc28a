"""`bottega pause`, `resume`, `retry`, `cancel`, `priority`, `amend` and `upgrade`: change how a batch goes on."""

import asyncio
import secrets
import sys
from typing import TypeVar

from agents.doors.cli.batches.status import print_status
from agents.doors.cli.errors import ALL_STORED, BAD_INPUT, bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.plan_view import headline, refusal_of
from agents.doors.cli.workshop.connection import ask, connect_client
from protocol.codec import encode
from protocol.commands import Amend, Cancel, Command, Pause, Priority, Resume, Retry, Upgrade
from protocol.ids import image_id
from protocol.parameters import RenderQuality, ServiceClass
from protocol.plans import GenerationPlan
from protocol.replies import Reply
from protocol.results import GenerationStatus

Answer = TypeVar("Answer", bound=Reply)

MAX_INDEX_DIGITS = 7
"""Digits of an index; a batch has at most a million pictures."""


def pause(batch: str, client: str | None, json: bool) -> None:
    """Pause a batch and show where it stands."""
    _send_and_show(Pause(hash=batch), client, json)


def resume(batch: str, client: str | None, json: bool) -> None:
    """Go on with a batch and show where it stands."""
    _send_and_show(Resume(hash=batch), client, json)


def retry(batch: str, image: str | None, client: str | None, json: bool) -> None:
    """Try what failed again, or one picture."""
    _send_and_show(Retry(hash=batch, image_id=image_id_of(batch, image) if image else None), client, json)


def cancel(batch: str, pending: bool, image: str | None, client: str | None, json: bool) -> None:
    """Stop a batch, what of it has not started, or one picture."""
    if pending and image:
        raise bad_input("--pending and --image are two different wishes", hint="leave one of them out")
    one = image_id_of(batch, image) if image else None
    _send_and_show(Cancel(hash=batch, what="pending" if pending else "all", image_id=one), client, json)


def priority(batch: str, to: ServiceClass, client: str | None, json: bool) -> None:
    """Move a batch to another class."""
    _send_and_show(Priority(hash=batch, priority=to), client, json)


def amend(
    batch: str, number: int | None, min_score: float | None, negative: str | None, client: str | None, json: bool
) -> None:
    """Change what has not started."""
    if number is None and min_score is None and negative is None:
        raise bad_input("nothing to change", hint="give --number, --min-score or --negative")
    _send_and_show(Amend(hash=batch, quantity=number, min_score=min_score, negative_prompt=negative), client, json)


def upgrade(
    batch: str, size: str | None, quality: RenderQuality | None, images: list[str], client: str | None, json: bool
) -> int:
    """Make finished pictures again; returns the exit code."""
    if size is None and quality is None:
        raise bad_input("an upgrade needs a size or a quality", hint="--size 2048x2048, or --quality hd")
    command = Upgrade(
        hash=batch,
        image_ids=[image_id_of(batch, image) for image in images],
        resolution=size,
        render_quality=quality,
        command_id=f"upgrade_{secrets.token_hex(8)}",
    )
    plan = asyncio.run(_ask(command, GenerationPlan, client))
    if json:
        sys.stdout.write(encode(plan).decode() + "\n")
        return BAD_INPUT if plan.generation_plan.state == "refused" else ALL_STORED
    if refusal := refusal_of(plan.generation_plan):
        raise refusal
    console = open_console()
    console.print(headline(plan), markup=False, soft_wrap=True)
    for note in plan.generation_plan.warnings:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    for note in plan.generation_plan.not_honoured:
        console.print(f"not honoured: {note}", markup=False, soft_wrap=True)
    if plan.generation_plan.approval:
        following = f"bottega approve {plan.hash} {plan.generation_plan.approval}"
    else:
        following = f"bottega status {plan.hash} --watch"
    console.print(f"go on with: {following}", markup=False, soft_wrap=True)
    return ALL_STORED


def image_id_of(batch: str, image: str) -> str:
    """The id of a picture that is named by its id or its index."""
    if image.isascii() and image.isdigit() and len(image) <= MAX_INDEX_DIGITS:
        return image_id(batch, int(image))
    return image


def _send_and_show(command: Command, client: str | None, json: bool) -> None:
    print_status(asyncio.run(_ask(command, GenerationStatus, client)), json)


async def _ask(command: Command, kind: type[Answer], client: str | None) -> Answer:
    async with connect_client(load_settings(client=client)) as connected:
        return await ask(connected, command, kind)
