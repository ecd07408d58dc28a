"""Pure module: the states of what the ledger counts, and every step that a row may take from one to another.

Each table has an entry for `None`: the states in which a row may begin. A state without steps is an end. The pictures
in the architecture page and in the README of the planner are drawn from these tables by `ledger/state_diagrams.py`.
"""

from collections.abc import Mapping
from enum import StrEnum

PROMPTS_PER_PAGE = 100
"""Prompts asked for at once; a page of the longest prompts stays below the broker's 1 MB."""


class BatchState(StrEnum):
    """Where a batch stands."""

    HELD = "held"  #: a plan that waits for its approval: prompts may be written, nothing is made
    RUNNING = "running"  #: pictures are handed out as the window allows
    PAUSED = "paused"  #: nothing more is handed out until it is resumed
    COMPLETED = "completed"  #: every picture has ended, in whatever way
    CANCELLED = "cancelled"  #: every picture has ended, and the client, a time limit or the budget stopped some of them


class JobState(StrEnum):
    """How a picture stands."""

    RUNNING = "running"  #: handed out; the stage says who works on it
    CANCELLING = "cancelling"  #: handed out and unwanted: a generator drops it, what is past generators is finished
    WAITING = "waiting"  #: was handed out before and waits for another attempt, after a retry or a pause
    COMPLETED = "completed"  #: an accepted picture is filed
    FAILED = "failed"  #: ended without an accepted picture; the best rejected one may be filed as a candidate
    CANCELLED = "cancelled"  #: ended because its client did not want it any more


class JobStage(StrEnum):
    """Where a picture is."""

    QUEUE = "queue"  #: nowhere: it waits for a place in flight
    GENERATOR = "generator"  #: pixels are to be made
    QA = "qa"  #: pixels are to be judged
    STORAGE = "storage"  #: a picture is to be filed
    DONE = "done"  #: nothing is left to do


class AttemptState(StrEnum):
    """What became of one attempt at a picture. One whose picture is cancelled stays as it was."""

    RUNNING = "running"  #: not judged yet
    ACCEPTED = "accepted"  #: QA accepted its pixels
    REJECTED = "rejected"  #: QA rejected its pixels, which may be filed as a candidate
    FAILED = "failed"  #: a stage gave up on it


class ClientState(StrEnum):
    """Whether a client may begin work."""

    ACTIVE = "active"  #: it may
    SUSPENDED = "suspended"  #: the operator does not let it
    REVOKED = "revoked"  #: the operator does not let it, and took its login


class ReservationState(StrEnum):
    """Whether a batch may still cost something."""

    OPEN = "open"  #: pictures have not ended
    CLOSED = "closed"  #: what is not spent was given back


class IntentState(StrEnum):
    """What is known of a paid call."""

    OPEN = "open"  #: allowed; nothing was heard of it since
    CAPTURED = "captured"  #: the provider charged it
    REFUSED = "refused"  #: the provider refused it and charged nothing
    AMBIGUOUS = "ambiguous"  #: nobody heard its end; its highest price counts as charged
    RESOLVED = "resolved"  #: it was ambiguous, and its real cost was told after all


class ChargeKind(StrEnum):
    """What a cost is for."""

    GPU = "gpu"  #: seconds of a device
    PROVIDER = "provider"  #: a provider's charge
    CORRECTION = "correction"  #: the difference to a charge that was first taken to be the highest


class OutboxKind(StrEnum):
    """What a message in the outbox is."""

    WORK = "work"  #: for an agent
    STATUS = "status"  #: for the client: how its batch ended


ACTIVE_BATCH_STATES = (BatchState.HELD, BatchState.RUNNING, BatchState.PAUSED)
"""States of a batch that has not ended."""

ENDED_BATCH_STATES = (BatchState.COMPLETED, BatchState.CANCELLED)
"""States of a batch that has ended. A retry takes a completed one up again."""

IN_FLIGHT_JOB_STATES = (JobState.RUNNING, JobState.CANCELLING)
"""States of a picture that holds a place in flight."""

OPEN_JOB_STATES = (JobState.RUNNING, JobState.WAITING, JobState.CANCELLING)
"""States of a picture that has not ended."""

UNFILED_JOB_STATES = (JobState.FAILED, JobState.CANCELLED)
"""States of a picture that ended without an accepted file, as far as the planner knew."""

ENDED_JOB_STATES = (JobState.COMPLETED, *UNFILED_JOB_STATES)
"""States of a picture that has ended."""

LATER_STAGES: Mapping[str, tuple[JobStage, ...]] = {
    JobStage.GENERATOR: (JobStage.QA, JobStage.STORAGE, JobStage.DONE),
    JobStage.QA: (JobStage.STORAGE, JobStage.DONE),
    JobStage.STORAGE: (JobStage.DONE,),
}
"""Stage -> the stages that a picture reaches through its work."""

JobPlace = tuple[JobState, JobStage]
"""The real state of a picture: how it stands and where it is. Only the keys of `LEGAL` exist."""

_GENERATING = (JobState.RUNNING, JobStage.GENERATOR)
_JUDGING = (JobState.RUNNING, JobStage.QA)
_FILING = (JobState.RUNNING, JobStage.STORAGE)
_STOPPING_GENERATION = (JobState.CANCELLING, JobStage.GENERATOR)
_STOPPING_JUDGEMENT = (JobState.CANCELLING, JobStage.QA)
_STOPPING_FILING = (JobState.CANCELLING, JobStage.STORAGE)
_WAITING = (JobState.WAITING, JobStage.QUEUE)
_COMPLETED = (JobState.COMPLETED, JobStage.DONE)
_FAILED = (JobState.FAILED, JobStage.DONE)
_CANCELLED = (JobState.CANCELLED, JobStage.DONE)

LEGAL: Mapping[JobPlace | None, frozenset[JobPlace]] = {
    # Handed out; handed out with a stored picture to reuse; cancelled before its turn.
    None: frozenset({_GENERATING, _FILING, _CANCELLED}),
    # A step to itself is another attempt. Straight to storage goes the best of earlier attempts, or an attempt that
    # storage had filed already.
    # A picture that is filed and was made again for the sake of consistency stays filed where that came to nothing.
    _GENERATING: frozenset({_GENERATING, _JUDGING, _FILING, _WAITING, _COMPLETED, _FAILED, _STOPPING_GENERATION}),
    _JUDGING: frozenset({_GENERATING, _FILING, _WAITING, _COMPLETED, _FAILED, _STOPPING_JUDGEMENT}),
    # Pixels that are gone are made again. A step to itself goes back to an attempt that storage had filed already.
    _FILING: frozenset({_GENERATING, _FILING, _WAITING, _COMPLETED, _FAILED, _STOPPING_FILING}),
    # No further attempt begins, and no candidate is filed.
    _STOPPING_GENERATION: frozenset({_STOPPING_JUDGEMENT, _STOPPING_FILING, _COMPLETED, _CANCELLED}),
    _STOPPING_JUDGEMENT: frozenset({_STOPPING_FILING, _COMPLETED, _CANCELLED}),
    _STOPPING_FILING: frozenset({_STOPPING_FILING, _COMPLETED, _FAILED, _CANCELLED}),
    _WAITING: frozenset({_GENERATING, _FILING, _COMPLETED, _CANCELLED}),
    # Unlike the others of its batch: made again, while its file stays.
    _COMPLETED: frozenset({_WAITING}),
    # Tried again by its client; or storage had filed an accepted attempt, of which the planner hears now.
    _FAILED: frozenset({_WAITING, _FILING}),
    _CANCELLED: frozenset({_WAITING, _FILING}),
}
"""Where a picture is -> where it may be next. Its attempt may change in any step to a generator or to storage."""

LEGAL_BATCH: Mapping[BatchState | None, frozenset[BatchState]] = {
    None: frozenset({BatchState.HELD, BatchState.RUNNING}),
    # Completed at once where its prompts cannot be written: all of its pictures have failed.
    BatchState.HELD: frozenset({BatchState.RUNNING, BatchState.COMPLETED, BatchState.CANCELLED}),
    BatchState.RUNNING: frozenset({BatchState.PAUSED, BatchState.COMPLETED, BatchState.CANCELLED}),
    BatchState.PAUSED: frozenset({BatchState.RUNNING, BatchState.COMPLETED, BatchState.CANCELLED}),
    BatchState.COMPLETED: frozenset({BatchState.RUNNING}),
    BatchState.CANCELLED: frozenset(),
}
"""State of a batch -> its next states."""

LEGAL_ATTEMPT: Mapping[AttemptState | None, frozenset[AttemptState]] = {
    None: frozenset({AttemptState.RUNNING}),
    AttemptState.RUNNING: frozenset({AttemptState.ACCEPTED, AttemptState.REJECTED, AttemptState.FAILED}),
    # Storage could not file it.
    AttemptState.ACCEPTED: frozenset({AttemptState.FAILED}),
    AttemptState.REJECTED: frozenset({AttemptState.FAILED}),
    AttemptState.FAILED: frozenset(),
}
"""State of an attempt -> its next states."""

LEGAL_CLIENT: Mapping[ClientState | None, frozenset[ClientState]] = {
    None: frozenset({ClientState.ACTIVE}),
    ClientState.ACTIVE: frozenset({ClientState.SUSPENDED, ClientState.REVOKED}),
    ClientState.SUSPENDED: frozenset({ClientState.ACTIVE, ClientState.REVOKED}),
    ClientState.REVOKED: frozenset({ClientState.ACTIVE}),
}
"""State of a client -> its next states."""

LEGAL_RESERVATION: Mapping[ReservationState | None, frozenset[ReservationState]] = {
    None: frozenset({ReservationState.OPEN}),
    ReservationState.OPEN: frozenset({ReservationState.CLOSED}),
    # A retry holds money again.
    ReservationState.CLOSED: frozenset({ReservationState.OPEN}),
}
"""State of a reservation -> its next states."""

LEGAL_INTENT: Mapping[IntentState | None, frozenset[IntentState]] = {
    None: frozenset({IntentState.OPEN}),
    IntentState.OPEN: frozenset({IntentState.CAPTURED, IntentState.REFUSED, IntentState.AMBIGUOUS}),
    IntentState.CAPTURED: frozenset(),
    # What cost nothing may be asked for again.
    IntentState.REFUSED: frozenset({IntentState.OPEN}),
    IntentState.AMBIGUOUS: frozenset({IntentState.RESOLVED}),
    IntentState.RESOLVED: frozenset(),
}
"""State of a paid call -> its next states."""
