"""What the workshop says, in the words of the command line: paths into JSON become the flags that they came from,
commands of the protocol those of the terminal, money USD. Pure module."""

import re
import shlex
from collections.abc import Mapping

from msgspec.structs import replace

from agents.doors.cli.amounts import format_money
from protocol.errors import ErrorBody

Flags = Mapping[str, str]
"""Field of a command -> the flag or argument that gives it."""

GENERATE: Flags = {
    "brief": "BRIEF",
    "requirements.quantity": "-n",
    "requirements.resolution": "--size",
    "requirements.style_reference": "--style-reference",
    "quality.min_score": "--min-score",
    "quality.consistency": "--consistency",
    "style": "--style",
    "platform": "--platform",
    "models": "--model",
    "sampler": "--sampler",
    "seed": "--seed",
    "steps": "--steps",
    "guidance": "--guidance",
    "loras": "--lora",
    "negative_prompt": "--negative",
    "prompts": "--prompt",
    "subjects": "--subject",
    "section": "--section",
    "export.name_template": "--name-template",
    "sweep.values": "--sweep",
    "sweep": "--sweep",
    "budget.unpriced": "--unpriced",
    "budget": "--budget",
    "max_attempts": "--max-attempts",
    "hold": "--hold",
    "init_image": "--image",
    "strength": "--strength",
    "mask": "--mask",
    "placement": "--place",
    "controls": "--control",
    "regions": "--region",
    "references": "--reference",
    "post": "--upscale, --refine, --clean or --colours",
    "animation.fps": "--fps",
    "animation": "--frames",
}
"""`bottega generate`."""

SESSION: Flags = {
    "catalogue.names": "--catalogues",
    "catalogue.prompts": "--prompts",
    "catalogue": "--catalogues",
    "combos.wardrobe": "--wardrobe",
    "combos.ui_style": "--ui-style",
    "combos": "--combos",
    "requirements.quantity": "-n",
    "requirements.resolution": "--quality",
    "quality.min_score": "--min-score",
    "platform": "--platform",
    "style": "--style",
    "seed": "--seed",
    "steps": "--steps",
}
"""`bottega batch start`."""

SINGLE: Flags = {**SESSION, "catalogue": "--prompt", "catalogue.names": "--prompt", "catalogue.prompts": "--prompt"}
"""`bottega batch single`."""

BATCH: Flags = {
    "hash": "HASH",
    "approval": "APPROVAL",
    "image_id": "--image",
    "image_ids": "--image",
    "quantity": "-n",
    "min_score": "--min-score",
    "negative_prompt": "--negative",
    "resolution": "--size",
    "render_quality": "--quality",
}
"""Commands about a batch."""

OPERATOR: Flags = {
    "client_id": "ID",
    "hash": "--batch",
    "since": "--since",
    "until": "--until",
    "limit": "--limit",
    "weight": "--weight",
    "max_in_flight": "--max-in-flight",
}
"""Costs, and commands of the operator."""

COMMANDS = {
    **{
        name: f"bottega {name.lower()}"
        for name in ("LIST", "RESULT", "STATUS", "CANCEL", "RETRY", "UPGRADE", "APPROVE", "PAUSE", "RESUME", "AMEND")
    },
    "CAPABILITIES": "bottega models",
    "GENERATE_IMAGES": "bottega generate",
}
"""Commands of the protocol, and those of the terminal that do the same."""

_INDEX = re.compile(r"\[(\d+)\]")
_COMMAND = re.compile(rf"\b(?:its |the )?({'|'.join(COMMANDS)})\b")
_MEMBER = re.compile(r'"(\w+)": (?:"([^"]*)"|([\w.-]+))')
_QUOTED = re.compile(r"`([a-z_.]+)`")
_CENTS = re.compile(r"(-?\d+(?:\.\d+)?)¢")


def in_words_of_flags(body: ErrorBody, flags: Flags) -> ErrorBody:
    """An error as it is told to a person who typed flags."""
    return replace(
        body,
        message=with_flags(body.message, flags),
        path=flag_at(body.path, flags) if body.path else body.path,
        hint=with_commands(with_flags(body.hint, flags)) if body.hint else body.hint,
    )


def flag_at(path: str, flags: Flags) -> str:
    """The flag that gave the value at a JSON path: `--min-score`, and `--lora, number 2` where one is repeated; a path
    that no flag leads to stays."""
    if not path.startswith("$."):
        return path
    steps = _INDEX.sub("", path).removeprefix("$.").split(".")
    for length in range(len(steps), 0, -1):
        field = ".".join(steps[:length])
        if flag := flags.get(field):
            if field == "sweep.values" and len(steps) > length:
                return f"{flag} {steps[length]}"
            index = _INDEX.search(path)
            return f"{flag}, number {int(index[1]) + 1}" if index and int(index[1]) else flag
    return path


def with_flags(text: str, flags: Flags) -> str:
    """A sentence with flags in place of the fields that it names as JSON does: `quality.min_score`, `init_image`,
    `"platform": "pocket"`, or in backticks; and money in USD. Fields that are words, such as mask, are left."""
    names = dict(flags) | {field.rpartition(".")[2]: flag for field, flag in flags.items()}

    def member(match: re.Match[str]) -> str:
        value = match[3] if match[2] is None else shlex.quote(match[2])
        return f"{names[match[1]]} {value}" if match[1] in names else match[0]

    text = _MEMBER.sub(member, text)
    text = _QUOTED.sub(lambda match: names.get(match[1], match[0]), text)
    fields = sorted((name for name in names if "." in name or "_" in name), key=len, reverse=True)
    if fields:
        pattern = rf"(?<![\w.$\"'/-])({'|'.join(map(re.escape, fields))})(?![\w\"'/-])"
        text = re.sub(pattern, lambda match: names[match[1]], text)
    return _CENTS.sub(lambda match: format_money(float(match[1]) / 100), text)


def with_commands(text: str) -> str:
    """A hint with the terminal's commands in place of the protocol's: `see LIST` is `see bottega list`."""
    return _COMMAND.sub(lambda match: COMMANDS[match[1]], text)
