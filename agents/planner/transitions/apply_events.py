"""Applies events that arrive together: first their transitions, then what follows in their batches. It runs inside one
transaction of the writer."""

from collections.abc import Sequence

from sqlalchemy import Connection

from agents.planner.ledger.unit_of_work import UnitOfWork
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import hand_out_and_settle, no_change, settle_batch
from agents.planner.scheduling.reuse import WithLookup
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

_JOB_EVENTS = (ImageGenerated, ImageScored, ImageStored, JobFailed, JobCancelled)


def apply_events(
    connection: Connection, said: Sequence[Event | Work | WithLookup], window: Window, now: float
) -> list[list[Change] | Exception]:
    """Do what follows from events, in their order. Each has its outcome: what is to be said, all of it with the first
    of them, or the failure of one that overtook another and is to be delivered again."""
    books = UnitOfWork(connection)
    books.preload(one.ref for one in said if isinstance(one, _JOB_EVENTS))
    outcomes: list[list[Change] | Exception] = []
    effects: dict[str, stage_events.Effect] = {}
    for one in said:
        try:
            effect = _apply_event(books, one, now)
        except Unavailable as error:
            outcomes.append(error)
            continue
        outcomes.append([])
        if effect is not None:
            _merge_effect(effects, effect)
    changes = [_settle_effect(books, effect, window, now) for effect in effects.values()]
    heard = next((outcome for outcome in outcomes if isinstance(outcome, list)), None)
    if heard is not None:
        heard += changes
    books.write_changes(now)
    return outcomes


def _apply_event(books: UnitOfWork, said: Event | Work | WithLookup, now: float) -> stage_events.Effect | None:
    match said:
        case PromptsWritten():
            return stage_events.on_prompts_written(books, said, None, now)
        case WithLookup(page=page, stored=stored):
            return stage_events.on_prompts_written(books, page, stored, now)
        case PromptsFailed():
            return stage_events.on_prompts_failed(books, said)
        case ImageGenerated():
            return stage_events.on_image_generated(books, said, now)
        case ImageScored():
            return stage_events.on_image_scored(books, said, now)
        case ImageStored():
            return stage_events.on_image_stored(books, said, now)
        case JobFailed():
            return stage_events.on_job_failed(books, said, now)
        case JobCancelled():
            return stage_events.on_job_cancelled(books, said, now)
        case ContactSheetMade():
            return stage_events.on_contact_sheet_made(books, said)
        case _:
            return None


def _merge_effect(effects: dict[str, stage_events.Effect], effect: stage_events.Effect) -> None:
    before = effects.setdefault(effect.batch.hash, effect)
    if before is not effect:
        before.work += effect.work
        before.filed += effect.filed
        before.changed |= effect.changed
        before.can_hand_out |= effect.can_hand_out


def _settle_effect(books: UnitOfWork, effect: stage_events.Effect, window: Window, now: float) -> Change:
    """Where the batch stands after everything that was heard of it, and what goes on in it."""
    batch = effect.batch
    if not effect.changed:
        return no_change(batch)
    if effect.can_hand_out:
        change = hand_out_and_settle(books, batch, window, now)
        change.work = effect.work + change.work
        change.filed = effect.filed
        return change
    return settle_batch(books, batch, Change(effect.work, client_id=batch.client_id), now)
