"""Sends hostile commands: `python -m tests.fuzz.commands --count 100000 --seed 1 [--url URL [--pid PID]]`.

Without a URL the codec is driven in this process; with one, the planner behind it. Each payload must get a typed
error or an answer. Prints counts by outcome, the rate, and the planner's memory before and after where its process
id is given. Exit code 1 where a payload got something else.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bus.connection import Address, Connection, connect
from protocol import codec, subjects
from protocol.errors import AcpError
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from tests.fuzz.mutations import Payload, payload

IN_FLIGHT = 128
"""Requests at once."""

ANSWER_S = 60.0
"""A planner that takes longer is dead: it answers what waits in front of a request first."""

MAX_ERROR_BYTES = 4096


class Unsound(Exception):
    """A payload got what nobody should get."""


@dataclass
class Outcomes:
    """What the payloads got. `broken` quotes the first ones that got what nobody should get."""

    counts: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    slowest_s: float = 0.0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def note(self, outcome: str, seconds: float) -> None:
        self.counts[outcome] += 1
        self.slowest_s = max(self.slowest_s, seconds)

    def note_broken(self, number: int, sent: Payload, failure: str) -> None:
        self.counts["BROKEN"] += 1
        if len(self.broken) < 20:
            self.broken.append(f"#{number} ({sent.kind}) {failure}: {sent.data[:200]!r} {sent.headers}")

    def report(self) -> str:
        """A table of the counts, most frequent first."""
        rows = [f"{count:>9}  {outcome}" for outcome, count in self.counts.most_common()]
        rate = self.total / self.seconds if self.seconds else 0.0
        end = f"{self.total} payloads, {rate:.0f}/s, slowest {self.slowest_s * 1000:.0f} ms"
        return "\n".join([*rows, end, *self.broken])


def decode_in_process(sent: Payload) -> str:
    """What the door makes of a payload. An accepted command must survive its own encoding, as the ledger keeps it.

    Raises:
        Unsound: it does not, or an error is as large as an attack.
    """
    try:
        command = codec.decode_command(codec.unpack(sent.data, sent.headers))
    except AcpError as error:
        if len(codec.encode(error.body)) > MAX_ERROR_BYTES:
            raise Unsound(f"an error of more than {MAX_ERROR_BYTES} bytes") from error
        return f"error {error.code}"
    if codec.decode_command(codec.encode(command)) != command:
        raise Unsound("the command changed when it was encoded again")
    return "accepted"


def run_in_process(seed: int, count: int) -> Outcomes:
    """Drive the codec."""
    outcomes = Outcomes()
    started = time.perf_counter()
    for number in range(count):
        sent = payload(seed, number)
        before = time.perf_counter()
        try:
            outcomes.note(decode_in_process(sent), time.perf_counter() - before)
        except Exception as error:  # noqa: BLE001 - the point of a fuzzer
            outcomes.note_broken(number, sent, repr(error))
    outcomes.seconds = time.perf_counter() - started
    return outcomes


async def ask(connection: Connection, sent: Payload) -> str:
    """Send a payload to the planner; returns what kind of answer came.

    Raises:
        Exception: no answer, or one that is no reply of the protocol.
    """
    answer = await connection.client.request(
        subjects.command(sent.client), sent.data, timeout=ANSWER_S, headers=sent.headers or None
    )
    reply = codec.decode_reply(codec.unpack(answer.data, answer.headers))
    match reply:
        case ErrorReply(error=error):
            return f"error {error.code}"
        case GenerationPlan(generation_plan=plan):
            return f"plan {plan.state}" + (f" ({plan.refusal.code})" if plan.refusal else "")
        case _:
            return type(reply).__name__


async def run_live(address: Address, seed: int, count: int, heard: Callable[[int], None] | None = None) -> Outcomes:
    """Drive a planner, `IN_FLIGHT` requests at a time. `heard` is told the number of each answered payload."""
    outcomes = Outcomes()
    numbers = iter(range(count))
    connection = await connect(address, name="fuzz")
    started = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(_send(connection, seed, numbers, outcomes, heard))
    finally:
        await connection.close()
    outcomes.seconds = time.perf_counter() - started
    return outcomes


async def _send(
    connection: Connection, seed: int, numbers: Iterator[int], outcomes: Outcomes, heard: Callable[[int], None] | None
) -> None:
    for number in numbers:
        sent = payload(seed, number)
        before = time.perf_counter()
        try:
            outcomes.note(await ask(connection, sent), time.perf_counter() - before)
        except Exception as error:  # noqa: BLE001 - the point of a fuzzer
            outcomes.note_broken(number, sent, repr(error))
        if heard is not None:
            heard(number)


def resident_mib(pid: int) -> float:
    """Resident memory of a process, in MiB, from /proc."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.commands", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="NATS URL with client credentials, such as `bottega url` prints")
    parser.add_argument("--pid", type=int, help="process id of the planner, to see its memory")
    options = parser.parse_args()
    if options.url is None:
        outcomes = run_in_process(options.seed, options.count)
    else:
        outcomes = asyncio.run(watched(Address.parse(options.url), options.seed, options.count, options.pid))
    print(outcomes.report())
    sys.exit(1 if outcomes.broken else 0)


async def watched(address: Address, seed: int, count: int, pid: int | None) -> Outcomes:
    """Drive a planner and print its memory at every tenth."""
    if pid is None:
        return await run_live(address, seed, count)
    tenth = max(count // 10, 1)

    def heard(number: int) -> None:
        if number % tenth == 0:
            print(f"{number:>9} answered, planner {resident_mib(pid):.0f} MiB", flush=True)

    print(f"planner {resident_mib(pid):.0f} MiB before")
    outcomes = await run_live(address, seed, count, heard)
    print(f"planner {resident_mib(pid):.0f} MiB after")
    return outcomes


if __name__ == "__main__":
    main()
