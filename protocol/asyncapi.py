"""The AsyncAPI 3.1 document, derived from the channels and the types. Pure module.

AsyncAPI's NATS binding knows queue groups only, so streams stand in `x-jetstream`. `x-zstd-dictionary` marks channels
whose frames may name a dictionary, one of the files `dictionary_<id>.zdict` beside the document.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from protocol.channel import Channel, Party
from protocol.channels import CHANNELS, COMMAND, DEAD, OPERATOR, REPLY
from protocol.codec import ENCODING_HEADER, MAX_MESSAGE_BYTES, VERSION, VERSION_HEADER
from protocol.components import Schema, components, tag_of
from protocol.ids import ID_PATTERN

COMMAND_QUEUE = "q"
"""Queue group of the planner's command endpoint: the default of NATS micro-services (ADR-32)."""

Examples = Mapping[str, Sequence[tuple[str, Any]]]
"""Type name -> named payloads."""

_PARAMETERS = {
    "attempt": "Attempt at the picture, from 1.",
    "client": f"Who asks: {ID_PATTERN}.",
    "first": "Index of the first prompt.",
    "hash": f"The batch: {ID_PATTERN}.",
    "index": "Picture of the batch, from 0.",
    "instance": "Name of a process.",
    "platform": "Model family.",
    "role": "planner, prompt, generator, qa or storage.",
}


def document(examples: Examples) -> Schema:
    """The whole document, with the examples that are given for a type."""
    kinds = {kind.__name__: kind for channel in CHANNELS for kind in channel.messages}
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "ACP, the agents' protocol of bottega",
            "version": f"{VERSION}.0.0",
            "description": "Commands that ask for pictures, and what the five agents of a workshop say to each "
            f"other. No message is larger than {MAX_MESSAGE_BYTES} bytes; pixels travel as names of blobs.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"workshop": _SERVER},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            name: operation
            for channel in CHANNELS
            if channel.address is not None
            for name, operation in _operations(channel)
        },
        "components": {
            "messages": {
                **{name: _message(kind, examples.get(name, ())) for name, kind in kinds.items()},
                "DeadLetter": _DEAD_LETTER,
            },
            "schemas": {
                **_draft_07(components("#/components/schemas/{name}")),
                "AgentHeaders": _headers(agents=True),
                "DoorHeaders": _headers(agents=False),
                "DeadLetterHeaders": _DEAD_LETTER_HEADERS,
            },
        },
    }


_SERVER: Schema = {
    "host": "{host}:{port}",
    "protocol": "nats",
    "description": "The embedded server of a workshop, or the one that BOTTEGA_NATS_URL names.",
    "variables": {
        "host": {"default": "127.0.0.1", "description": "Where the server listens."},
        "port": {"default": "4222", "description": "`bottega url` prints the port of a running workshop."},
    },
}

_DEAD_LETTER: Schema = {
    "name": "DEAD_LETTER",
    "title": "DeadLetter",
    "summary": "The original bytes of a message that was given up; reason and origin are in its headers.",
    "contentType": "application/octet-stream",
    "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
}

_DEAD_LETTER_HEADERS: Schema = {
    "type": "object",
    "description": "The original headers without the broker's own, and why the message was given up.",
    "properties": {
        "Acp-Dead-Reason": {"type": "string", "description": "The last error in one line."},
        "Acp-Dead-Code": {"type": "string", "description": "Its code."},
        "Acp-Dead-Subject": {"type": "string", "description": "Where the message was."},
        "Acp-Dead-Origin": {"type": "string", "description": "<stream>.<sequence>"},
        "Acp-Dead-Delivered": {"type": "string", "description": "How many times it was delivered."},
        "Nats-Msg-Id": {"type": "string", "description": "dead.<origin>: giving up twice keeps one letter."},
    },
}


def _channel(channel: Channel) -> Schema:
    names = ["DeadLetter"] if channel is DEAD else [kind.__name__ for kind in channel.messages]
    described: Schema = {
        "address": channel.address,
        "description": channel.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }
    if parameters := re.findall(r"\{(\w+)\}", channel.address or ""):
        described["parameters"] = {name: {"description": _PARAMETERS[name]} for name in parameters}
    if channel.stream:
        described["x-jetstream"] = {"stream": channel.stream}
    if channel.dictionary:
        described["x-zstd-dictionary"] = True
    return described


def _operations(channel: Channel) -> list[tuple[str, Schema]]:
    return [
        *((f"{party}_sends_{channel.name}", _operation("send", channel, party)) for party in channel.senders),
        *((f"{party}_receives_{channel.name}", _operation("receive", channel, party)) for party in channel.receivers),
    ]


def _operation(action: str, channel: Channel, party: Party) -> Schema:
    operation: Schema = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "x-party": party,
    }
    if channel.reply is not None:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{channel.reply.name}"}}
        if channel is COMMAND and action == "receive":
            operation["bindings"] = {"nats": {"queue": COMMAND_QUEUE, "bindingVersion": "0.1.0"}}
    return operation


def _message(kind: type[msgspec.Struct], examples: Sequence[tuple[str, Any]]) -> Schema:
    door = any(kind in channel.messages for channel in (COMMAND, OPERATOR, REPLY))
    described: Schema = {
        "name": tag_of(kind),
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().split("\n", 1)[0],
        "headers": {"$ref": f"#/components/schemas/{'DoorHeaders' if door else 'AgentHeaders'}"},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }
    if examples:
        described["examples"] = [{"name": name, "payload": payload} for name, payload in examples]
    return described


def _headers(*, agents: bool) -> Schema:
    encoding = {"const": "zstd"} if agents else {"enum": ["identity", "zstd"], "default": "identity"}
    properties: Schema = {
        ENCODING_HEADER: {"type": "string", **encoding},
        VERSION_HEADER: {"type": "string", "const": VERSION},
        "traceparent": {"type": "string", "description": "W3C trace context."},
    }
    if agents:
        properties["Nats-Msg-Id"] = {"type": "string", "description": "The same for the same message."}
    return {
        "type": "object",
        "description": "NATS headers between agents." if agents else "NATS headers at the command door.",
        "properties": properties,
        "required": [ENCODING_HEADER] if agents else [],
    }


def _draft_07(schema: Any) -> Any:
    """A 2020-12 schema in the dialect of AsyncAPI: draft 7, where a tuple's types stand in `items` and no OpenAPI
    `discriminator` is known. Where one stood, each member says its tag by `const`."""
    if isinstance(schema, dict):
        translated: Schema = {name: _draft_07(part) for name, part in cast("Schema", schema).items()}
        match translated:
            case {"discriminator": {"propertyName": str()}}:
                del translated["discriminator"]
            case _:
                pass
        if "prefixItems" in translated:
            translated["items"] = translated.pop("prefixItems")
        return translated
    if isinstance(schema, list):
        return [_draft_07(part) for part in cast("list[Any]", schema)]
    return schema
