"""AMEND: changes what has not started, in one transaction, which also reserves the money that this adds."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import PROMPTS_DECODER
from agents.planner.ledger.states import ACTIVE_BATCH_STATES
from agents.planner.ledger.tables import batches, jobs, prompt_pages
from agents.planner.money.reservations import reserve_more
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import advance
from agents.planner.scheduling.window import Window
from agents.planner.scheduling.work_messages import prompts_request
from agents.planner.transitions.refusals import wrong_state
from protocol.commands import Amend
from protocol.counts import format_count
from protocol.errors import BadCommand
from protocol.messages import Work


def amend(connection: Connection, batch: Batch, wish: Amend, window: Window, now: float) -> Change:
    """Change what has not started.

    Raises:
        Refused: `wrong_state` where the batch has ended; `exceeds_budget` for pictures that may cost more than is left.
        BadCommand: fewer pictures than were started, or something that this batch cannot change.
    """
    if batch.state not in ACTIVE_BATCH_STATES:
        raise wrong_state(batch, "a batch that has ended")
    if (wish.quantity, wish.min_score, wish.negative_prompt) == (None, None, None):
        hint = '"quantity", "min_score" or "negative_prompt"'
        raise BadCommand("missing_field", "the amendment changes nothing", path="$", hint=hint)
    send: list[Work] = []
    if wish.quantity is not None:
        _amend_quantity(connection, batch, wish.quantity, now)
    if wish.min_score is not None:
        batch.recipe = msgspec.structs.replace(batch.recipe, min_score=wish.min_score)
    if wish.negative_prompt is not None:
        _amend_negative(connection, batch, wish.negative_prompt)
        send.append(prompts_request(batch))
    changed = {"quantity": batch.quantity, "written": batch.written}
    encoded = {"command": msgspec.json.encode(batch.command), "recipe": msgspec.json.encode(batch.recipe)}
    connection.execute(sa.update(batches).where(batches.c.hash == batch.hash).values(**changed, **encoded))
    change = advance(connection, batch, window, now)
    change.work = send + change.work
    return change


def _amend_quantity(connection: Connection, batch: Batch, quantity: int, now: float) -> None:
    if batch.parent is not None:
        raise BadCommand("invalid_value", "an upgrade has as many pictures as it was made from", path="$.quantity")
    if quantity < batch.cursor:
        raise BadCommand(
            "invalid_value",
            f"{format_count(batch.cursor, 'picture was', 'pictures were')} started already",
            path="$.quantity",
            hint=f"at least {batch.cursor}; CANCEL stops pictures that were started",
        )
    reserve_more(connection, batch, max(0, quantity - batch.quantity), now)
    beyond = sa.delete(jobs).where(jobs.c.hash == batch.hash, jobs.c.index >= quantity)
    dropped = connection.execute(beyond).rowcount if batch.tally.ahead else 0
    batch.tally.forget_ahead(dropped)
    batch.tally.resize(quantity)
    batch.quantity = quantity


def _amend_negative(connection: Connection, batch: Batch, text: str) -> None:
    """Prompts that no picture has yet are written anew; those of an earlier request are not heard."""
    if batch.parent is not None or not batch.recipe.negative_supported:
        problem = (
            "an upgrade keeps its prompts" if batch.parent else f"{batch.recipe.pixels.model} uses no negative prompt"
        )
        raise BadCommand("invalid_value", problem, path="$.negative_prompt", hint="leave it out")
    batch.command = msgspec.structs.replace(batch.command, negative_prompt=text)
    _forget_prompts(connection, batch.hash, batch.cursor)
    batch.written = min(batch.written, batch.cursor)
    batch.tally.discard_prompts()
    batch.tally.ask_prompts(batch.written)


def _forget_prompts(connection: Connection, name: str, first: int) -> None:
    """Remove the prompts from an index on, also those of a page that begins before it: no two pages have the same."""
    of_batch = prompt_pages.c.hash == name
    connection.execute(sa.delete(prompt_pages).where(of_batch, prompt_pages.c.first >= first))
    last = sa.select(prompt_pages.c.first, prompt_pages.c.prompts).where(of_batch)
    row = connection.execute(last.order_by(prompt_pages.c.first.desc()).limit(1)).first()
    if row is not None:
        kept = PROMPTS_DECODER.decode(row.prompts)[: first - row.first]
        page = sa.update(prompt_pages).where(of_batch, prompt_pages.c.first == row.first)
        connection.execute(page.values(prompts=msgspec.json.encode(kept)))
