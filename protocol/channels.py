"""Who says what on which subject, as data. Pure module."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from protocol import subjects
from protocol.commands import Command
from protocol.components import members
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
    Role,
    ScoreImage,
    StoreImage,
    WritePrompts,
)
from protocol.operator import OperatorCommand
from protocol.replies import GenerationStatus, Reply
from protocol.reuse import FindStored, StoredPictures
from protocol.spending import CloseIntent, IntentReply, OpenIntent

Party = Role | Literal["client", "operator", "supervisor"]


@dataclass(frozen=True)
class Channel:
    """A subject with `{parameters}`, what is said there, and who says and hears it. `stream` keeps it, if any."""

    name: str
    address: str | None
    description: str
    messages: tuple[type[msgspec.Struct], ...]
    senders: tuple[Party, ...]
    receivers: tuple[Party, ...]
    stream: str | None = None


COMMAND = Channel(
    "command",
    subjects.command("{client}"),
    "Request and reply: a client asks, the planner answers once the answer is on disk. Plain JSON, or zstd with "
    "the header Content-Encoding; answered in kind.",
    members(Command),
    senders=("client",),
    receivers=("planner",),
)

OPERATOR = Channel(
    "operator",
    subjects.OPERATOR,
    "Request and reply: the operator of the workshop asks, the planner answers once the answer is on disk.",
    members(OperatorCommand),
    senders=("operator",),
    receivers=("planner",),
)

REPLY = Channel(
    "reply",
    None,
    "The reply subject of the request.",
    members(Reply),
    senders=("planner",),
    receivers=("client", "operator"),
)

_WORK = (
    Channel(
        "work_prompt",
        f"{subjects.ROOT}.work.prompt.{{hash}}.{{first}}",
        "Prompts to write.",
        (WritePrompts,),
        senders=("planner",),
        receivers=("prompt",),
        stream="ACP_WORK",
    ),
    Channel(
        "work_generate",
        f"{subjects.ROOT}.work.generate.{{platform}}.{{hash}}.{{index}}.{{attempt}}",
        "Pictures to make, by platform.",
        (GenerateImage, GenerateFlatImage),
        senders=("planner",),
        receivers=("generator",),
        stream="ACP_WORK",
    ),
    Channel(
        "work_qa",
        f"{subjects.ROOT}.work.qa.{{hash}}.{{index}}.{{attempt}}",
        "Pictures to judge.",
        (ScoreImage, ScoreFlatImage),
        senders=("generator",),
        receivers=("qa",),
        stream="ACP_WORK",
    ),
    Channel(
        "work_storage",
        f"{subjects.ROOT}.work.storage.{{hash}}.{{index}}.{{attempt}}",
        "Pictures to file: accepted ones from QA, the best of a failed picture from the planner.",
        (StoreImage, StoreFlatImage),
        senders=("planner", "qa"),
        receivers=("storage",),
        stream="ACP_WORK",
    ),
    Channel(
        "work_sheet",
        f"{subjects.ROOT}.work.storage.{{hash}}.sheet",
        "Contact sheets to draw.",
        (MakeContactSheet,),
        senders=("planner",),
        receivers=("storage",),
        stream="ACP_WORK",
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
    JobCancelled: ("generator", "qa", "storage"),
}

_EVENTS = tuple(
    Channel(
        f"event_{kind}",
        f"{subjects.ROOT}.event.{{client}}.{{hash}}.{kind}",
        "What happened in a batch.",
        (event,),
        senders=_EVENT_SENDERS[event],
        receivers=("planner",),
        stream="ACP_EVENTS",
    )
    for event, kind in subjects.EVENT_KINDS.items()
)

_BESIDE = (
    Channel(
        "status",
        subjects.status("{client}", "{hash}"),
        "How a batch stands, at every change; the last one is kept for late subscribers.",
        (GenerationStatus,),
        senders=("planner",),
        receivers=("client",),
        stream="ACP_STATUS",
    ),
    Channel(
        "progress",
        subjects.progress("{client}", "{hash}"),
        "How far an attempt is. Lossy, for displays.",
        (Progress,),
        senders=("generator",),
        receivers=("client",),
    ),
    Channel(
        "control",
        f"{subjects.ROOT}.control.{{role}}",
        "Cancel and drain, heard by every process of a role beside its queue.",
        members(Control),
        senders=("planner", "supervisor"),
        receivers=ROLES,
    ),
    Channel(
        "presence",
        "$KV.acp_presence.{role}.{instance}",
        "Live processes, in a key-value bucket whose entries expire.",
        (Presence,),
        senders=ROLES,
        receivers=ROLES,
        stream="KV_acp_presence",
    ),
)

_LEDGER = (
    Channel(
        "ledger_intent",
        f"{subjects.ROOT}.ledger.intent",
        "Request and reply: may a paid call be made? The answer is on disk before it is given.",
        (OpenIntent,),
        senders=("generator",),
        receivers=("planner",),
    ),
    Channel(
        "ledger_captured",
        f"{subjects.ROOT}.ledger.captured",
        "Request and reply: what a paid call cost.",
        (CloseIntent,),
        senders=("generator",),
        receivers=("planner",),
    ),
    Channel(
        "ledger_reply",
        None,
        "The reply subject of a request about a paid call.",
        (IntentReply,),
        senders=("planner",),
        receivers=("generator",),
    ),
)

_STORED = (
    Channel(
        "stored",
        subjects.STORED,
        "Request and reply: which of these pictures are there already?",
        (FindStored,),
        senders=("planner",),
        receivers=("storage",),
    ),
    Channel(
        "stored_reply",
        None,
        "The reply subject of a question about stored pictures.",
        (StoredPictures,),
        senders=("storage",),
        receivers=("planner",),
    ),
)

DEAD = Channel(
    "dead_letter",
    f"{subjects.ROOT}.dead.{{role}}",
    "Messages that a role gave up: the original bytes, with the reason in the headers.",
    (),
    senders=ROLES,
    receivers=("operator",),
    stream="ACP_DEAD",
)

CHANNELS: tuple[Channel, ...] = (COMMAND, OPERATOR, REPLY, *_WORK, *_EVENTS, *_BESIDE, *_LEDGER, *_STORED, DEAD)
"""Every channel of the protocol."""
