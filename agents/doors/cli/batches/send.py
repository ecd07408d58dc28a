"""`bottega send`, `plan` and `approve`: commands as JSON, answered by the running workshop."""

import asyncio
import sys
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from agents.doors.cli.errors import ALL_STORED, BAD_INPUT, bad_input, failure_of_reply
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.plan_view import refusal_of, show_plan
from agents.doors.cli.workshop.connection import ask, connect_client
from agents.shared.text_file import decode_json_text
from protocol.codec import MAX_MESSAGE_BYTES, decode_command, encode
from protocol.commands import Approve, GenerateImages
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply, Reply
from protocol.results import GenerationStatus


def send(source: str, client: str | None) -> int:
    """Print the reply as it came; returns the exit code."""
    reply = asyncio.run(_send_command(read_command(source), client))
    sys.stdout.write(encode(reply).decode() + "\n")
    match reply:
        case ErrorReply(error=error):
            return failure_of_reply(error).exit_code
        case GenerationPlan(generation_plan=plan) if plan.state == "refused":
            return BAD_INPUT
        case _:
            return ALL_STORED


def plan(source: str, hold: bool, client: str | None, json: bool) -> int:
    """Show the plan of a GENERATE_IMAGES command, of which nothing is kept, unless `hold` lets it wait until it is
    approved; returns the exit code."""
    command = decode_command(read_command(source))
    if not isinstance(command, GenerateImages):
        raise bad_input("only GENERATE_IMAGES has a plan", path="$.cmd", hint="use: bottega send")
    if hold:
        asked = replace(command, hold=True, dry_run=UNSET, respond_format="GENERATION_PLAN")
    else:
        asked = replace(command, dry_run=True)

    async def run() -> GenerationPlan:
        async with connect_client(load_settings(client=client)) as connected:
            return await ask(connected, asked, GenerationPlan)

    answer = asyncio.run(run())
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
        return BAD_INPUT if answer.generation_plan.state == "refused" else ALL_STORED
    if refusal := refusal_of(answer.generation_plan):
        raise refusal
    show_plan(open_console(), answer)
    return ALL_STORED


def approve(batch: str, approval: str, client: str | None, json: bool) -> int:
    """Start a held plan; returns the exit code."""

    async def run() -> GenerationStatus:
        async with connect_client(load_settings(client=client)) as connected:
            return await ask(connected, Approve(hash=batch, approval=approval), GenerationStatus)

    answer = asyncio.run(run())
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
    else:
        open_console().print(f"started; follow it with: bottega status {batch} --watch", markup=False, soft_wrap=True)
    return ALL_STORED


def read_command(source: str) -> bytes:
    """The command in a file, or in standard input for `-`, as UTF-8 whatever an editor or a shell made of it: at most
    one byte more than a message may have.

    Raises:
        Failure: there is no such file.
    """
    if source == "-":
        return _as_utf_8(sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1))
    try:
        with Path(source).open("rb") as file:
            return _as_utf_8(file.read(MAX_MESSAGE_BYTES + 1))
    except OSError as error:
        raise bad_input(
            f"cannot read {source}: {error.strerror}", hint="name a file, or - for standard input"
        ) from None


def _as_utf_8(data: bytes) -> bytes:
    """The same text in UTF-8; bytes that are no text as they are, for the door to say what is wrong with them."""
    try:
        return decode_json_text(data).encode()
    except UnicodeError:
        return data


async def _send_command(payload: bytes, client: str | None) -> Reply:
    async with connect_client(load_settings(client=client)) as connected:
        return await connected.request(payload)
