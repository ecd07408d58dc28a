"""Subjects and message ids, derived from the message. Pure module.

Work has a subject of its own per attempt, and the work stream holds at most one message per subject: sending the
same work again while it is queued or in flight is refused by the broker, so a resend is always harmless.
"""

from typing import assert_never

from protocol.messages import (
    CancelBatch,
    ContactSheetMade,
    Drain,
    Event,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
    JobRef,
    MakeContactSheet,
    Progress,
    PromptsFailed,
    PromptsWritten,
    Role,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
)

ROOT = "acp.v1"
COMMANDS = f"{ROOT}.command.*"
WORK = f"{ROOT}.work.>"
EVENTS = f"{ROOT}.event.>"
STATUSES = f"{ROOT}.status.>"
DEAD = f"{ROOT}.dead.>"


def command(client: str) -> str:
    """Where a client sends its commands."""
    return f"{ROOT}.command.{client}"


def status(client: str, batch: str) -> str:
    """Where the status of a batch is published; the stream keeps its last value."""
    return f"{ROOT}.status.{client}.{batch}"


def progress(client: str, batch: str) -> str:
    """Where the lossy progress of a batch is published."""
    return f"{ROOT}.progress.{client}.{batch}"


def control(role: Role) -> str:
    """Where control messages of a role go, beside the queue."""
    return f"{ROOT}.control.{role}"


def dead_letter(role: Role) -> str:
    """Where a role's undeliverable messages end."""
    return f"{ROOT}.dead.{role}"


def work_filter(kind: str) -> str:
    """Filter of a work consumer; `kind` is `prompt`, `qa`, `storage` or `generate.<platform>`."""
    return f"{ROOT}.work.{kind}.>"


def batch_work(batch: str) -> tuple[str, ...]:
    """Filters that name all queued work of a batch, to purge it."""
    return (f"{ROOT}.work.*.{batch}.>", f"{ROOT}.work.generate.*.{batch}.>")


def event_filter(kind: str) -> str:
    """Filter of one kind of event over all clients and batches."""
    return f"{ROOT}.event.*.*.{kind}"


def _attempt(job: Job) -> str:
    return f"{job.hash}.{job.index}.{job.attempt}"


def subject_of(message: Work | Event | Progress) -> str:
    """The subject of a message that has one destination."""
    match message:
        case WritePrompts():
            return f"{ROOT}.work.prompt.{message.hash}.{message.first}"
        case GenerateImage(job=job):
            return f"{ROOT}.work.generate.{job.platform}.{_attempt(job)}"
        case ScoreImage(job=job):
            return f"{ROOT}.work.qa.{_attempt(job)}"
        case StoreImage(job=job):
            return f"{ROOT}.work.storage.{_attempt(job)}"
        case MakeContactSheet():
            return f"{ROOT}.work.storage.{message.hash}.sheet"
        case PromptsWritten():
            return _event(message.client_id, message.hash, "prompts_written")
        case PromptsFailed():
            return _event(message.client_id, message.hash, "prompts_failed")
        case ContactSheetMade():
            return _event(message.client_id, message.hash, "contact_sheet")
        case ImageGenerated(ref=ref):
            return _job_event(ref, "generated")
        case ImageScored(ref=ref):
            return _job_event(ref, "scored")
        case ImageStored(ref=ref):
            return _job_event(ref, "stored")
        case JobFailed(ref=ref):
            return _job_event(ref, "failed")
        case JobCancelled(ref=ref):
            return _job_event(ref, "cancelled")
        case Progress(ref=ref):
            return progress(ref.client_id, ref.hash)
        case _:
            assert_never(message)


def message_id(message: Work | Event) -> str:
    """`Nats-Msg-Id`: the same message said twice has the same id."""
    match message:
        case PromptsWritten() | PromptsFailed():
            return f"{subject_of(message)}.{message.first}"
        case (
            ImageGenerated(ref=ref)
            | ImageScored(ref=ref)
            | ImageStored(ref=ref)
            | JobFailed(ref=ref)
            | JobCancelled(ref=ref)
        ):
            return f"{subject_of(message)}.{ref.index}.{ref.attempt}"
        case (
            WritePrompts()
            | GenerateImage()
            | ScoreImage()
            | StoreImage()
            | MakeContactSheet()
            | ContactSheetMade()
        ):
            return subject_of(message)
        case _:
            assert_never(message)


def batch_of(message: Work | Event) -> str:
    """The hash of the batch that a message belongs to."""
    match message:
        case GenerateImage(job=job) | ScoreImage(job=job) | StoreImage(job=job):
            return job.hash
        case (
            ImageGenerated(ref=ref)
            | ImageScored(ref=ref)
            | ImageStored(ref=ref)
            | JobFailed(ref=ref)
            | JobCancelled(ref=ref)
        ):
            return ref.hash
        case WritePrompts() | MakeContactSheet() | PromptsWritten() | PromptsFailed() | ContactSheetMade():
            return message.hash
        case _:
            assert_never(message)


def _event(client: str, batch: str, kind: str) -> str:
    return f"{ROOT}.event.{client}.{batch}.{kind}"


def _job_event(ref: JobRef, kind: str) -> str:
    return _event(ref.client_id, ref.hash, kind)


__all__ = [
    "COMMANDS",
    "DEAD",
    "EVENTS",
    "ROOT",
    "STATUSES",
    "WORK",
    "CancelBatch",
    "Drain",
    "batch_of",
    "batch_work",
    "command",
    "control",
    "dead_letter",
    "event_filter",
    "message_id",
    "progress",
    "status",
    "subject_of",
    "work_filter",
]
