"""A campaign: orders come in, things go wrong, everything ends, and a checker that knows nothing of it all looks."""

import asyncio
import json
import signal
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from protocol.messages import Role
from tests.chaos import later
from tests.chaos.checker import Found, Row, check, snapshot, store_holds_what_is_named
from tests.chaos.customers import Customers
from tests.chaos.mischief import misbehave
from tests.chaos.money import check_money
from tests.chaos.provider import Call
from tests.chaos.schedule import CLOCK_S, Fault, Order, orders
from tests.chaos.workshop import PATIENCE_S, Member, Workshop, clients_of, workshop

CREW: Mapping[Role, int] = {"planner": 1, "prompt": 1, "generator": 2, "qa": 1, "storage": 2}
"""Processes by role: two where a frozen one must not hold the others up, and where its late words must do no harm."""

ALONE: Mapping[Role, int] = {"planner": 1, "prompt": 1, "generator": 1, "qa": 1, "storage": 1}

BRISK: Mapping[str, str] = {"BOTTEGA_ACK_WAIT_S": "3", "BOTTEGA_RECONCILE_S": "1", "BOTTEGA_STALE_S": "4"}
"""Short waits, for runs that take seconds."""

MANY = 10_000
"""Orders of a campaign: more than are placed in an hour."""

SLOW_S = 0.2
"""Delay of each chunk on a slow line."""

END_S = 120.0
"""What is under way gets to end once nothing bad happens any more; what has not ended then is lost."""


@dataclass
class Outcome:
    """What was done, and what was found wrong."""

    seed: int
    done: Counter[str] = field(default_factory=Counter[str])
    failpoints: Counter[str] = field(default_factory=Counter[str])
    recoveries: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    problems: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0


Misery = Callable[[Workshop, Outcome], Awaitable[None]]


async def campaign(
    home: Path,
    seed: int,
    misery: Misery,
    *,
    crew: Mapping[Role, int] = CREW,
    settings: Mapping[str, str] | None = None,
    arm: Mapping[str, deque[str]] | None = None,
    options: Mapping[Role, tuple[str, ...]] | None = None,
    placed: Sequence[Order] | None = None,
    journal: Sequence[Call] = (),
    end_s: float = END_S,
) -> Outcome:
    """Run a workshop under orders while `misery` lasts, and look at what it leaves behind.

    All orders of `placed` are served; where it is not given they are drawn from the seed, as long as the misery lasts.
    `journal` are the charges of a paid provider.
    """
    outcome, began = Outcome(seed), time.monotonic()
    async with workshop(home, settings or {}, crew=crew, arm=arm, options=options) as shop, clients_of(shop) as clients:
        customers, enough = Customers(shop, clients), asyncio.Event()
        until = enough if placed is None else asyncio.Event()
        serving = asyncio.create_task(customers.serve(placed or orders(seed, MANY), until))
        mischief = asyncio.create_task(misbehave(shop, outcome.done))
        try:
            try:
                await misery(shop, outcome)
            except TimeoutError:
                outcome.problems.append(f"I13: no progress in {PATIENCE_S:g} s after {dict(outcome.done)}")
            enough.set()
            await _ended(serving, end_s, outcome)
        finally:
            serving.cancel()
            mischief.cancel()
        await _said_again(shop, outcome, end_s)
        for subject, payload, headers in shop.dead_letters:
            if not payload or not headers.get("Acp-Dead-Reason"):
                outcome.problems.append(f"I10: a dead letter on {subject} says not what or why: {headers}")
        outcome.recoveries = dict(shop.recoveries)
        outcome.done["deaths"] = sum(member.deaths for member in shop.crew.values())
    found = Found.read(home)
    outcome.problems += customers.problems + check(found, customers.answers) + check_money(home, journal)
    await asyncio.to_thread(later.upkeep, home)
    outcome.problems += store_holds_what_is_named(Found.read(home))
    outcome.failpoints = fired(home)
    outcome.counts = {
        "batches": len(found.batches),
        "pictures": sum(batch["quantity"] for batch in found.batches.values()),
        **{state: found.count(state) for state in ("completed", "failed", "cancelled")},
        "dead_letters": len(shop.dead_letters),
        "charges": len(journal),
    }
    outcome.seconds = time.monotonic() - began
    return outcome


async def _ended(serving: asyncio.Task[None], seconds: float, outcome: Outcome) -> None:
    try:
        async with asyncio.timeout(seconds):
            await serving
    except TimeoutError:
        outcome.problems.append(f"I1: not everything ended within {seconds:g} s after the last fault")


async def _said_again(shop: Workshop, outcome: Outcome, seconds: float) -> None:
    """I6 and I7: everything said once more and the planner started once more change nothing. I11: the queues empty."""
    try:
        await shop.quiet(seconds)
        found = Found.read(shop.home)
        before = snapshot(found)
        # Work on a cancelled picture was taken off the queue, that on a failed one may lie with the dead letters; said
        # once more it would be a wish of somebody's.
        ended = ("cancelled", "failed")
        await shop.repeat({picture for picture, job in found.jobs.items() if job["state"] in ended})
        await shop.quiet(seconds)
        await kill(shop, shop.crew["planner-0"])
        await shop.complete()
        await shop.quiet(seconds)
    except TimeoutError:
        outcome.problems.append(f"I11: the broker still has work after {seconds:g} s")
        return
    after = snapshot(Found.read(shop.home))
    for table in before:
        if before[table] != after[table]:
            outcome.problems.append(f"I6: {table} changed: {_difference(before[table], after[table])}")


def _difference(before: Sequence[Any], after: Sequence[Any]) -> str:
    for old, new in zip(before, after, strict=False):
        if old != new and isinstance(old, dict):
            return str({name: (value, new[name]) for name, value in cast("Row", old).items() if value != new[name]})
    return f"{len(before)} before, {len(after)} after"


async def kill(shop: Workshop, member: Member) -> None:
    """SIGKILL, and the death noticed; between two lives there is nobody to kill."""
    deaths = member.deaths
    if member.send(signal.SIGKILL):
        await shop.until(lambda: member.deaths > deaths)


def inflicting(faults: Sequence[Fault], seconds: float) -> Misery:
    """One fault after the other, at the pictures they are scheduled for, for at most `seconds`."""

    async def misery(shop: Workshop, outcome: Outcome) -> None:
        deadline = time.monotonic() + seconds
        for number, fault in enumerate(faults):
            if time.monotonic() > deadline:
                outcome.done["faults left out"] += len(faults) - number
                break
            due = shop.stored + fault.gap
            await shop.until(lambda due=due: shop.stored >= due)
            await _inflict(shop, fault)
            outcome.done[fault.kind] += 1
            if not fault.overlapping:
                await shop.complete()
        await shop.complete()

    return misery


async def _inflict(shop: Workshop, fault: Fault) -> None:
    loop, member = asyncio.get_running_loop(), shop.crew.get(fault.target)
    if member is None:
        match fault.kind:
            case "repeat":
                await shop.repeat()
            case _:
                await shop.kill_server(wipe=fault.kind == "wipe")
        return
    match fault.kind:
        case "freeze":
            if member.send(signal.SIGSTOP):
                loop.call_later(fault.seconds, _over, shop, member, fault)
        case "cut" | "slow" | "hole" | "deaf" as trouble:
            member.proxy.disturb(trouble, SLOW_S)
            loop.call_later(fault.seconds, _over, shop, member, fault)
        case "clock":
            member.clock_s = {0.0: CLOCK_S, CLOCK_S: -CLOCK_S}.get(member.clock_s, 0.0)
            await kill(shop, member)
        case _:
            await kill(shop, member)


def _over(shop: Workshop, member: Member, fault: Fault) -> None:
    """End a fault that lasts; the recovery from it counts from here."""
    member.proxy.mend()
    member.send(signal.SIGCONT)
    shop.ails(f"{fault.kind} {member.name}", fault.kind)
    shop.is_back(f"{fault.kind} {member.name}")


def armed(seconds: float) -> Misery:
    """Until every life that was given a failpoint has met it, for at most `seconds`."""

    async def misery(shop: Workshop, outcome: Outcome) -> None:
        crew = shop.crew.values()
        try:
            await shop.until(lambda: all(member.deaths >= member.condemned for member in crew), seconds)
        except TimeoutError:
            outcome.done["failpoints left out"] += sum(len(member.arm) for member in crew)
            for member in crew:
                member.arm.clear()
        await shop.complete()

    return misery


def fired(home: Path) -> Counter[str]:
    """How often each failpoint fired, such as `storage sql.committed=kill`, as the processes said in their logs."""
    counted: Counter[str] = Counter()
    for log in (home / "logs").glob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith('{"event": "failpoint"'):
                said = json.loads(line)
                counted[f"{log.name.split('-')[0]} {said['point']}={said['action']}"] += 1
    return counted
