"""Clients of the workshop who do not give up: they send a command until it is answered, follow it to its end, and note
every status that could not be true.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bus.client import Client
from protocol.commands import Approve, Cancel, Command, GenerateImages, Quality, Requirements, Result
from protocol.errors import Unavailable
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply, Reply
from protocol.results import ENDED_STATES, GenerationResult, GenerationStatus
from tests.chaos.schedule import Order
from tests.chaos.workshop import Workshop

ANSWER_S = 4.0
"""A command that is not answered by then is sent again, with the same id."""

RESULT_S = 5.0
"""How long the planner may hold a question for the result back."""


class Customers:
    """What was ordered, what was answered, what was told wrong."""

    def __init__(self, shop: Workshop, clients: Mapping[str, Client]) -> None:
        self._shop = shop
        self._clients = clients
        self.answers: defaultdict[str, set[str]] = defaultdict(set)
        self.problems: list[str] = []
        self.finished = 0
        self.pictures = 0

    async def serve(self, orders: Sequence[Order], until: asyncio.Event, at_once: int = 3) -> None:
        """Place orders, `at_once` at a time, until `until` is set; those that were placed are followed to their end."""
        queue = iter(orders)

        async def customer() -> None:
            while not until.is_set() and (order := next(queue, None)) is not None:
                await self._place(order)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(customer())

    async def _place(self, order: Order) -> None:
        command = command_of(order)
        plan = await self._plan(order, command)
        if plan is None:
            return
        batch = plan.hash
        assert batch is not None
        following = asyncio.create_task(self._follow(order, batch))
        try:
            if order.held:
                assert plan.generation_plan.approval is not None
                approve = Approve(hash=batch, approval=plan.generation_plan.approval)
                await self._until(approve, order, (GenerationStatus, ErrorReply))
            await self._end_of(order, batch)
        finally:
            following.cancel()
        await self._plan(order, command)  # the same command once more, when all is over, has the same answer
        self.finished += 1
        self.pictures += order.quantity

    async def _plan(self, order: Order, command: GenerateImages) -> GenerationPlan | None:
        reply = await self._until(command, order, (GenerationPlan, ErrorReply))
        if not isinstance(reply, GenerationPlan) or reply.hash is None:
            self.problems.append(f"{order.command_id} was refused: {reply}")
            return None
        self.answers[order.command_id].add(reply.hash)
        return reply

    async def _end_of(self, order: Order, batch: str) -> None:
        """Ask for the result until it is there, its contact sheet included."""
        while True:
            reply = await self._until(Result(hash=batch, wait_s=RESULT_S), order, (GenerationResult, GenerationStatus))
            if isinstance(reply, GenerationResult):
                told = reply.generation_result
                stored = any(image.status == "completed" for image in told.images)
                if told.state in ENDED_STATES and (told.contact_sheet is not None or not stored):
                    return
            await self._shop.moment()

    async def _follow(self, order: Order, batch: str) -> None:
        """I9: no count of finished pictures goes back, and the counts add up. Cancels where the order says so."""
        most = 0
        cancelled = order.cancel_after is None
        async for status in self._clients[order.client].watch_status(order.client, batch):
            body = status.generation_status
            failed = body.failed if isinstance(body.failed, int) else 0
            dropped = body.cancelled if isinstance(body.cancelled, int) else 0
            if body.completed + body.processing + body.queued + failed + dropped != order.quantity:
                self.problems.append(f"I9: a status of {batch} does not add up to {order.quantity}: {body}")
            if body.completed < most:
                self.problems.append(f"I9: {batch} went back from {most} to {body.completed} completed")
            most = max(most, body.completed)
            if not cancelled and order.cancel_after is not None and body.completed > order.cancel_after:
                cancelled = True
                await self._until(Cancel(hash=batch), order, (GenerationStatus, ErrorReply))

    async def _until(self, command: Command, order: Order, kinds: tuple[type[Reply], ...]) -> Reply:
        """The answer of one of these kinds; asked again as long as there is another or none."""
        while True:
            try:
                reply = await self._clients[order.client].request(command, timeout=ANSWER_S)
            except Unavailable:
                await self._shop.moment()
                continue
            if not isinstance(reply, kinds) or _is_worth_repeating(reply):
                await self._shop.moment()
                continue
            return reply


def _is_worth_repeating(reply: Reply) -> bool:
    """A disk that is full fails a command as `internal`, and has room a moment later."""
    return isinstance(reply, ErrorReply) and (reply.error.retryable or reply.error.code == "internal")


def command_of(order: Order) -> GenerateImages:
    """The command of an order."""
    return GenerateImages(
        brief="a red mug on a blue background",
        platform="pocket",
        command_id=order.command_id,
        seed=order.seed,
        hold=order.held,
        quality=Quality(min_score=0.0),
        requirements=Requirements(quantity=order.quantity),
    )
