"""Who says what on which subject, as data, and the streams that keep it. Pure module.

The AsyncAPI document and the rights of the logins on the broker (`bus/accounts.py`) are derived from this.
"""

from collections.abc import Mapping

from protocol import subjects
from protocol.channel import CLIENTS, Channel, Party
from protocol.commands import Command
from protocol.components import members
from protocol.consumers import ConsumerReply, PutConsumer
from protocol.drafts import DraftedPrompts, DraftPrompts
from protocol.flat_jobs import GenerateFlatImage, ScoreFlatImage, StoreFlatImage
from protocol.messages import (
    ROLES,
    ContactSheetMade,
    Control,
    Event,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    JobCancelled,
    JobFailed,
    MakeContactSheet,
    Presence,
    Progress,
    PromptsFailed,
    PromptsWritten,
    ScoreImage,
    StoreImage,
    WritePrompts,
)
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.results import GenerationStatus
from protocol.reuse import FindStored, RemadePicture, RemakePicture, StoredPictures
from protocol.spending import CloseIntent, IntentReply, NoteIntent, OpenIntent

ACP_WORK = "ACP_WORK"
ACP_EVENTS = "ACP_EVENTS"
ACP_STATUS = "ACP_STATUS"
ACP_DEAD = "ACP_DEAD"
PRESENCE_BUCKET = "acp_presence"
PRESENCE_STREAM = f"KV_{PRESENCE_BUCKET}"
PRESENCE_PREFIX = f"$KV.{PRESENCE_BUCKET}"

STREAM_SUBJECTS: Mapping[str, str] = {
    ACP_WORK: subjects.WORK,
    ACP_EVENTS: subjects.EVENTS,
    ACP_STATUS: subjects.STATUSES,
    ACP_DEAD: subjects.DEAD,
    PRESENCE_STREAM: f"{PRESENCE_PREFIX}.>",
}
"""Stream -> the subjects that it keeps."""


REPLY = Channel(
    "reply",
    None,
    None,
    "The reply subject of the request.",
    members(Reply),
    senders=("planner",),
    receivers=CLIENTS,
)

COMMAND = Channel(
    "command",
    subjects.command("{client}"),
    subjects.COMMANDS,
    "Request and reply: a client asks, the planner answers once the answer is on disk. Plain JSON, or zstd with "
    "the header Content-Encoding; answered in kind.",
    members(Command),
    senders=CLIENTS,
    receivers=("planner",),
    reply=REPLY,
)

OPERATOR = Channel(
    "operator",
    subjects.OPERATOR,
    subjects.OPERATOR,
    "Request and reply: the operator of the workshop asks, the planner answers once the answer is on disk.",
    members(OperatorCommand),
    senders=("operator",),
    receivers=("planner",),
    reply=REPLY,
)

_WORK = (
    Channel(
        "work_prompt",
        f"{subjects.ROOT}.work.prompt.{{hash}}.{{first}}",
        subjects.work_filter("prompt"),
        "Prompts to write.",
        (WritePrompts,),
        senders=("planner",),
        receivers=("prompt",),
        stream=ACP_WORK,
        dictionary=True,
    ),
    Channel(
        "work_generate",
        f"{subjects.ROOT}.work.generate.{{platform}}.{{hash}}.{{index}}.{{attempt}}",
        subjects.work_filter("generate"),
        "Pictures to make, by platform.",
        (GenerateImage, GenerateFlatImage),
        senders=("planner",),
        receivers=("generator",),
        stream=ACP_WORK,
        dictionary=True,
    ),
    Channel(
        "work_qa",
        f"{subjects.ROOT}.work.qa.{{hash}}.{{index}}.{{attempt}}",
        subjects.work_filter("qa"),
        "Pictures to judge: from the generator, and again from the planner when nothing was heard of one.",
        (ScoreImage, ScoreFlatImage),
        senders=("planner", "generator"),
        receivers=("qa",),
        stream=ACP_WORK,
        dictionary=True,
    ),
    Channel(
        "work_storage",
        f"{subjects.ROOT}.work.storage.{{hash}}.{{index}}.{{attempt}}",
        subjects.work_filter("storage"),
        "Pictures to file: accepted ones from QA, the best of a failed picture from the planner.",
        (StoreImage, StoreFlatImage),
        senders=("planner", "qa"),
        receivers=("storage",),
        stream=ACP_WORK,
        dictionary=True,
    ),
    Channel(
        "work_sheet",
        f"{subjects.ROOT}.work.storage.{{hash}}.sheet",
        subjects.work_filter("storage"),
        "Contact sheets to draw.",
        (MakeContactSheet,),
        senders=("planner",),
        receivers=("storage",),
        stream=ACP_WORK,
        dictionary=True,
    ),
)

_EVENT_SENDERS: Mapping[type[Event], tuple[Party, ...]] = {
    PromptsWritten: ("prompt",),
    PromptsFailed: ("prompt",),
    ContactSheetMade: ("storage",),
    ImageGenerated: ("generator",),
    ImageScored: ("qa",),
    ImageStored: ("storage",),
    JobFailed: ("generator", "qa", "storage"),
    JobCancelled: ("generator",),
}

_EVENTS = tuple(
    Channel(
        f"event_{kind}",
        f"{subjects.ROOT}.event.{{client}}.{{hash}}.{kind}",
        subjects.event_filter(kind),
        "What happened in a batch.",
        (event,),
        senders=_EVENT_SENDERS[event],
        receivers=("planner", "qa") if event is ImageScored else ("planner",),
        stream=ACP_EVENTS,
    )
    for event, kind in subjects.EVENT_KINDS.items()
)

_BESIDE = (
    Channel(
        "status",
        subjects.status("{client}", "{hash}"),
        subjects.STATUSES,
        "How a batch stands, at every change. Whoever comes late asks with STATUS.",
        (GenerationStatus,),
        senders=("planner",),
        receivers=CLIENTS,
        stream=ACP_STATUS,
    ),
    Channel(
        "progress",
        subjects.progress("{client}", "{hash}"),
        subjects.PROGRESS,
        "How far an attempt is. Lossy, for displays.",
        (Progress,),
        senders=("generator",),
        receivers=CLIENTS,
    ),
    Channel(
        "control",
        f"{subjects.ROOT}.control.{{role}}",
        f"{subjects.ROOT}.control.{{role}}",
        "Cancel and drain, heard by every process of a role beside its queue.",
        members(Control),
        senders=("planner", "supervisor"),
        receivers=ROLES,
        dictionary=True,
    ),
    Channel(
        "presence",
        f"{PRESENCE_PREFIX}.{{role}}.{{instance}}",
        f"{PRESENCE_PREFIX}.{{role}}.>",
        "Live processes, in a key-value bucket whose entries expire.",
        (Presence,),
        senders=ROLES,
        receivers=("planner", "operator"),
        stream=PRESENCE_STREAM,
    ),
)

_LEDGER_REPLY = Channel(
    "ledger_reply",
    None,
    None,
    "The reply subject of a request about a paid call.",
    (IntentReply,),
    senders=("planner",),
    receivers=("generator",),
)

_LEDGER = (
    Channel(
        "ledger_intent",
        f"{subjects.ROOT}.ledger.intent",
        subjects.LEDGER,
        "Request and reply: may a paid call be made? The answer is on disk before it is given.",
        (OpenIntent,),
        senders=("generator",),
        receivers=("planner",),
        reply=_LEDGER_REPLY,
    ),
    Channel(
        "ledger_noted",
        f"{subjects.ROOT}.ledger.noted",
        subjects.LEDGER,
        "Request and reply: the provider's name for a paid call that runs. The answer is on disk before it is given.",
        (NoteIntent,),
        senders=("generator",),
        receivers=("planner",),
        reply=_LEDGER_REPLY,
    ),
    Channel(
        "ledger_captured",
        f"{subjects.ROOT}.ledger.captured",
        subjects.LEDGER,
        "Request and reply: what a paid call cost.",
        (CloseIntent,),
        senders=("generator",),
        receivers=("planner",),
        reply=_LEDGER_REPLY,
    ),
    _LEDGER_REPLY,
)

_STORED_REPLY = Channel(
    "stored_reply",
    None,
    None,
    "The reply subject of a question about stored pictures.",
    (StoredPictures,),
    senders=("storage",),
    receivers=("planner",),
)

_STORED = (
    Channel(
        "stored",
        subjects.STORED,
        subjects.STORED,
        "Request and reply: which of these pictures are there already?",
        (FindStored,),
        senders=("planner",),
        receivers=("storage",),
        reply=_STORED_REPLY,
    ),
    _STORED_REPLY,
)

_DRAFT_REPLY = Channel(
    "draft_reply",
    None,
    None,
    "The reply subject of a request for a draft of prompts.",
    (DraftedPrompts,),
    senders=("prompt",),
    receivers=("planner",),
)

_DRAFT = (
    Channel(
        "draft",
        subjects.DRAFT,
        subjects.DRAFT,
        "Request and reply: which prompts would be written for this plan? Nothing is kept.",
        (DraftPrompts,),
        senders=("planner",),
        receivers=("prompt",),
        reply=_DRAFT_REPLY,
    ),
    _DRAFT_REPLY,
)

_REMADE_REPLY = Channel(
    "remade_reply",
    None,
    None,
    "The reply subject of a picture that is made again.",
    (RemadePicture,),
    senders=("generator",),
    receivers=("operator",),
)

_REMAKE = (
    Channel(
        "remake",
        subjects.REMAKE,
        subjects.REMAKE,
        "Request and reply: what does the picture of this job become when it is made again?",
        (RemakePicture,),
        senders=("operator",),
        receivers=("generator",),
        reply=_REMADE_REPLY,
    ),
    _REMADE_REPLY,
)

_CONSUMER_REPLY = Channel(
    "consumer_reply",
    None,
    None,
    "The reply subject of a request for a durable consumer.",
    (ConsumerReply,),
    senders=("supervisor",),
    receivers=ROLES,
)

_CONSUMER = (
    Channel(
        "consumer",
        f"{subjects.ROOT}.consumer.{{role}}",
        f"{subjects.ROOT}.consumer.{{role}}",
        "Request and reply: a role asks for a durable consumer of what it receives. Only the supervisor makes them, "
        "because a consumer may deliver anywhere.",
        (PutConsumer,),
        senders=ROLES,
        receivers=("supervisor",),
        reply=_CONSUMER_REPLY,
    ),
    _CONSUMER_REPLY,
)

DEAD = Channel(
    "dead_letter",
    f"{subjects.ROOT}.dead.{{role}}",
    f"{subjects.ROOT}.dead.{{role}}",
    "Messages that a role gave up: the original bytes, with the reason in the headers.",
    (),
    senders=ROLES,
    receivers=("operator",),
    stream=ACP_DEAD,
)

CHANNELS: tuple[Channel, ...] = (
    COMMAND,
    OPERATOR,
    REPLY,
    *_WORK,
    *_EVENTS,
    *_BESIDE,
    *_LEDGER,
    *_STORED,
    *_DRAFT,
    *_REMAKE,
    *_CONSUMER,
    DEAD,
)
"""Every channel of the protocol."""

DICTIONARY_MESSAGES = frozenset(kind for channel in CHANNELS if channel.dictionary for kind in channel.messages)
"""Types of the messages that may be compressed with the dictionary."""
