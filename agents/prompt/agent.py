"""The prompt agent: answers each WritePrompts with the prompts it asks for; stateless."""

import os
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from agents.prompt.library import Library
from agents.prompt.style import Style, StyleReference, read_reference, read_style
from agents.prompt.writer import write
from agents.settings import Settings
from bus.agent import Agent, Delivery, Inbound, Intake, Outbound
from bus.topology import ACP_WORK
from protocol import subjects
from protocol.errors import AcpError, Refused
from protocol.messages import Presence, Prompt, PromptsFailed, PromptsWritten, WritePrompts
from protocol.nearest import nearest

PACKAGED = Path(__file__).parent

SLOTS = 4
"""Requests at once. Writing takes milliseconds of processor time, so more would only wait for each other."""

MAX_COUNT = 1000
"""Prompts of one request; more is a broken request, not a large batch, which comes in pages of about 100."""

MAX_PAGE_BYTES = 512 * 1024
"""Prompts in one answer, as JSON: half of the largest message. A page of long prompts is sent in parts."""


class PromptWriter(Agent):
    """Writes prompts in the styles of the packaged files and of the user's own."""

    role = "prompt"

    def __init__(self, styles: Sequence[Path], references: Sequence[Path]) -> None:
        self._styles: Library[Style] = Library(styles, read_style)
        self._references: Library[StyleReference] = Library(references, read_reference)
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def intakes(self) -> Sequence[Intake]:
        return [Intake(ACP_WORK, "prompt", (subjects.work_filter("prompt"),), slots=SLOTS)]

    def presence(self, instance: str) -> Presence:
        return Presence(
            role=self.role,
            instance=instance,
            pid=os.getpid(),
            host=socket.gethostname(),
            version=version("bottega"),
            started_at=self._started_at,
            slots=SLOTS,
            styles=sorted(self._styles.look()),
            style_references=sorted(self._references.look()),
        )

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        """Write the prompts of a page; more than one answer where their text is long.

        Raises:
            Refused: `unknown_style` for a style or reference that no file describes, with the nearest name.
        """
        if not isinstance(message, WritePrompts):
            raise AcpError("internal", f"the prompt agent has no work for {type(message).__name__}")
        if not 0 < message.count <= MAX_COUNT or message.first < 0:
            raise AcpError("invalid_value", f"no page has {message.count} prompts from {message.first}")
        style, reference = self._style(message.style), self._reference(message.style_reference)
        indices = range(message.first, message.first + message.count)
        prompts = [write(message, style, reference, index) for index in indices]
        return [
            PromptsWritten(hash=message.hash, client_id=message.client_id, first=first, prompts=part)
            for first, part in _parts(message.first, prompts)
        ]

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        if not isinstance(message, WritePrompts):
            return ()
        batch, client = message.hash, message.client_id
        return [PromptsFailed(hash=batch, client_id=client, first=message.first, error=error.body)]

    def _style(self, name: str) -> Style:
        styles = self._styles.look()
        if name not in styles:
            problem = f"there is no style {name!r}"
            raise Refused("unknown_style", problem, path="$.style", hint=nearest(name, styles))
        return styles[name]

    def _reference(self, name: str | None) -> StyleReference | None:
        if name is None:
            return None
        references = self._references.look()
        if name not in references:
            raise Refused(
                "unknown_style",
                f"there is no style reference {name!r}",
                path="$.requirements.style_reference",
                hint=nearest(name, references),
            )
        return references[name]


def build(settings: Settings) -> PromptWriter:
    """The prompt agent of a workshop: the packaged styles, overridden by those in the home folder."""
    return PromptWriter(
        styles=(PACKAGED / "styles", settings.home / "styles"),
        references=(PACKAGED / "references", settings.home / "references"),
    )


def _parts(first: int, prompts: Sequence[Prompt]) -> Iterator[tuple[int, list[Prompt]]]:
    """Runs of prompts that fit one message each, with the index of their first."""
    part, size = list[Prompt](), 0
    for prompt in prompts:
        added = len(msgspec.json.encode(prompt))
        if part and size + added > MAX_PAGE_BYTES:
            yield first, part
            first, part, size = first + len(part), [], 0
        part.append(prompt)
        size += added
    yield first, part
