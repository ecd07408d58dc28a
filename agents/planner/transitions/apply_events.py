"""Hearing events, as many at once as came together: their transitions, then what goes on in the batches that they are
of. It runs inside one transaction of the writer."""

from collections.abc import Sequence

from sqlalchemy import Connection

from agents.planner.ledger.unit_of_work import Books
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import go_on, settle, unchanged
from agents.planner.scheduling.reuse import Sought
from agents.planner.scheduling.window import Window
from agents.planner.transitions import stage_events
from protocol.errors import Unavailable
from protocol.messages import (
    ContactSheetMade,
    Event,
    ImageGenerated,
    ImageScored,
    ImageStored,
    JobCancelled,
    JobFailed,
    PromptsFailed,
    PromptsWritten,
    Work,
)

_OF_JOBS = (ImageGenerated, ImageScored, ImageStored, JobFailed, JobCancelled)


def hear(
    connection: Connection, said: Sequence[Event | Work | Sought], window: Window, now: float
) -> list[list[Change] | Exception]:
    """Do what follows from events, in their order. Each has its outcome: what is to be said, all of it with the first
    of them, or the failure of one that overtook another and is to be delivered again."""
    books = Books(connection)
    books.foresee(one.ref for one in said if isinstance(one, _OF_JOBS))
    outcomes: list[list[Change] | Exception] = []
    effects: dict[str, stage_events.Effect] = {}
    for one in said:
        try:
            effect = _transition(books, one, now)
        except Unavailable as error:
            outcomes.append(error)
            continue
        outcomes.append([])
        if effect is not None:
            _merge(effects, effect)
    changes = [_follow(books, effect, window, now) for effect in effects.values()]
    heard = next((outcome for outcome in outcomes if isinstance(outcome, list)), None)
    if heard is not None:
        heard += changes
    books.write(now)
    return outcomes


def _transition(books: Books, said: Event | Work | Sought, now: float) -> stage_events.Effect | None:
    match said:
        case PromptsWritten():
            return stage_events.prompts_written(books, said, None, now)
        case Sought(page=page, stored=stored):
            return stage_events.prompts_written(books, page, stored, now)
        case PromptsFailed():
            return stage_events.prompts_failed(books, said)
        case ImageGenerated():
            return stage_events.image_generated(books, said, now)
        case ImageScored():
            return stage_events.image_scored(books, said, now)
        case ImageStored():
            return stage_events.image_stored(books, said, now)
        case JobFailed():
            return stage_events.job_failed(books, said, now)
        case JobCancelled():
            return stage_events.job_cancelled(books, said, now)
        case ContactSheetMade():
            return stage_events.contact_sheet_made(books, said)
        case _:
            return None


def _merge(effects: dict[str, stage_events.Effect], effect: stage_events.Effect) -> None:
    before = effects.setdefault(effect.batch.hash, effect)
    if before is not effect:
        before.send += effect.send
        before.changed |= effect.changed
        before.frees |= effect.frees


def _follow(books: Books, effect: stage_events.Effect, window: Window, now: float) -> Change:
    """Where the batch stands after everything that was heard of it, and what goes on in it."""
    batch = effect.batch
    if not effect.changed:
        return unchanged(batch)
    if effect.frees:
        change = go_on(books, batch, window, now)
        change.send = effect.send + change.send
        return change
    return settle(books, batch, Change(effect.send, client_id=batch.client_id), now)
