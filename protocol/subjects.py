"""Subjects and message ids, derived from the message. Pure module.

Work has a subject of its own per attempt, and the work stream holds at most one message per subject: sending
the same work again while it is queued or in flight is refused by the broker, so a resend is always harmless.
"""

from protocol.messages import (
    ContactSheetMade,
    Event,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
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
from protocol.spending import CloseIntent, NoteIntent, OpenIntent, SpendingCall

ROOT = "acp.v1"
COMMANDS = f"{ROOT}.command.*"
WORK = f"{ROOT}.work.>"
EVENTS = f"{ROOT}.event.>"
STATUSES = f"{ROOT}.status.>"
PROGRESS = f"{ROOT}.progress.>"
DEAD = f"{ROOT}.dead.>"
LEDGER = f"{ROOT}.ledger.*"
STORED = f"{ROOT}.stored"
DRAFT = f"{ROOT}.draft"
REMAKE = f"{ROOT}.remake"
OPERATOR = f"{ROOT}.operator"
CONSUMERS = f"{ROOT}.consumer.*"
BROKER_API = "acp.api"
"""JetStream's API, where the streams are in another account than the asker."""

JobEvent = ImageGenerated | ImageScored | ImageStored | JobFailed | JobCancelled
"""Events that speak of one attempt."""

EVENT_KINDS: dict[type[Event], str] = {
    PromptsWritten: "prompts_written",
    PromptsFailed: "prompts_failed",
    ContactSheetMade: "contact_sheet",
    ImageGenerated: "generated",
    ImageScored: "scored",
    ImageStored: "stored",
    JobFailed: "failed",
    JobCancelled: "cancelled",
}
"""Event -> the last token of its subject."""


def subject_matches(pattern: str, subject: str) -> bool:
    """Whether a NATS pattern covers a subject: `*` is one token, a last `>` one or more."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        if len(given) < len(wanted):
            return False
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    return len(wanted) == len(given) and all(one in ("*", token) for one, token in zip(wanted, given, strict=True))


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


def consumer(role: Role) -> str:
    """Where a role asks for its durable consumers."""
    return f"{ROOT}.consumer.{role}"


def dead_letter(role: Role) -> str:
    """Where a role's undeliverable messages end."""
    return f"{ROOT}.dead.{role}"


def work_filter(kind: str) -> str:
    """Filter of a work consumer; `kind` is `prompt`, `qa`, `storage` or `generate.<platform>`."""
    return f"{ROOT}.work.{kind}.>"


def batch_work(batch: str) -> tuple[str, ...]:
    """Filters that name all queued work of a batch, to purge it."""
    return (f"{ROOT}.work.*.{batch}.>", f"{ROOT}.work.generate.*.{batch}.>")


def batch_generation(batch: str) -> str:
    """Filter that names what of a batch is queued for generators."""
    return f"{ROOT}.work.generate.*.{batch}.>"


def batch_events(client: str, batch: str) -> str:
    """Filter of all events of a batch."""
    return f"{ROOT}.event.{client}.{batch}.>"


def event_filter(kind: str) -> str:
    """Filter of one kind of event over all clients and batches."""
    return f"{ROOT}.event.*.*.{kind}"


def ledger(call: SpendingCall) -> str:
    """Where a generator asks the planner about a paid call."""
    match call:
        case OpenIntent():
            return f"{ROOT}.ledger.intent"
        case NoteIntent():
            return f"{ROOT}.ledger.noted"
        case CloseIntent():
            return f"{ROOT}.ledger.captured"


def subject_of(message: Work | Event | Progress) -> str:
    """The subject of a message that has one destination."""
    match message:
        case WritePrompts():
            return f"{ROOT}.work.prompt.{message.hash}.{message.first}{_edition(message.revision)}"
        case GenerateImage(job=job):
            return f"{ROOT}.work.generate.{job.platform}.{_attempt(job)}"
        case ScoreImage(job=job):
            return f"{ROOT}.work.qa.{_attempt(job)}"
        case StoreImage(job=job):
            return f"{ROOT}.work.storage.{_attempt(job)}"
        case MakeContactSheet():
            return f"{ROOT}.work.storage.{message.hash}.sheet"
        case Progress(ref=ref):
            return progress(ref.client_id, ref.hash)
        case _:
            return f"{ROOT}.event.{client_of(message)}.{batch_of(message)}.{EVENT_KINDS[type(message)]}"


def message_id(message: Work | Event) -> str:
    """`Nats-Msg-Id`: the same message said twice has the same id."""
    match message:
        case PromptsWritten() | PromptsFailed():
            return f"{subject_of(message)}.{message.first}{_edition(message.revision)}"
        case MakeContactSheet() | ContactSheetMade():
            return f"{subject_of(message)}{_edition(message.edition)}"
        case ImageGenerated() | ImageScored() | ImageStored() | JobFailed() | JobCancelled():
            return f"{subject_of(message)}.{message.ref.index}.{message.ref.attempt}"
        case _:
            return subject_of(message)


def batch_of(message: Work | Event) -> str:
    """The hash of the batch that a message belongs to."""
    match message:
        case GenerateImage() | ScoreImage() | StoreImage():
            return message.job.hash
        case WritePrompts() | MakeContactSheet() | PromptsWritten() | PromptsFailed() | ContactSheetMade():
            return message.hash
        case _:
            return message.ref.hash


def client_of(message: Work | Event) -> str:
    """The client of the batch that a message belongs to."""
    match message:
        case GenerateImage() | ScoreImage() | StoreImage():
            return message.job.client_id
        case WritePrompts() | MakeContactSheet() | PromptsWritten() | PromptsFailed() | ContactSheetMade():
            return message.client_id
        case _:
            return message.ref.client_id


def _edition(number: int) -> str:
    """What tells a message from those before a change; nothing at first."""
    return f"-{number}" if number else ""


def _attempt(job: Job) -> str:
    return f"{job.hash}.{job.index}.{job.attempt}"
