"""The prompt agent: answers each WritePrompts with the prompts it asks for. All that it keeps can be read again."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from agents.prompt.prompt_requests import request_of_wish, with_references
from agents.prompt.style import Style, StyleReference, read_reference, read_style
from agents.prompt.style_files import StyleFiles
from agents.prompt.writer import write_prompt
from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from bus.agent import Agent, Caller, Delivery, Endpoint, Inbound, Intake, Outbound, encode_compressed
from bus.blobs import BlobMissing, Blobs
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.catalogue import CatalogueSnapshot
from protocol.channels import ACP_WORK
from protocol.drafts import DraftedPrompts, DraftPrompts, Drafts
from protocol.errors import AcpError, BadMessage, Refused
from protocol.messages import Presence, Prompt, PromptsFailed, PromptsWritten, PromptWish, WritePrompts
from protocol.nearest import nearest
from protocol.parameters import StyleSettings

PACKAGE_FOLDER = Path(__file__).parent

SLOTS = 4
"""Requests at once. Writing takes milliseconds of processor time, so more would only wait for each other."""

MAX_COUNT = 1000
"""Prompts of one request. More of them is a broken request, not a large batch: that comes in pages of about 100."""

MAX_CATALOGUE_BYTES = 64 * 1024 * 1024
"""A thousand of the longest prompts beside a thousand combos are a quarter of it."""

MAX_PAGE_BYTES = 512 * 1024
"""Prompts in one answer, as JSON: half of the largest message. The planner asks for the rest of a page."""


class PromptWriter(Agent):
    """Writes prompts in the styles of the packaged files and of the user's own."""

    role = "prompt"

    def __init__(self, styles: Sequence[Path], references: Sequence[Path], blobs: Blobs) -> None:
        self._styles: StyleFiles[Style] = StyleFiles(styles, read_style)
        self._references: StyleFiles[StyleReference] = StyleFiles(references, read_reference)
        self._blobs = blobs
        self._catalogue: tuple[str, CatalogueSnapshot] | None = None

    def intakes(self) -> Sequence[Intake]:
        return [Intake(ACP_WORK, "prompt", (subjects.work_filter("prompt"),), slots=SLOTS)]

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return [
            Endpoint(subjects.DRAFT, decode=codec.decode_drafts, answer=self._draft_prompts, encode=encode_compressed)
        ]

    def presence(self, instance: str) -> Presence:
        styles = self._styles.read_all()
        settings = {name: styles[name].settings.model_dump(exclude_none=True) for name in sorted(styles)}
        carried = {name: msgspec.convert(one, StyleSettings) for name, one in settings.items() if one}
        return replace(
            base_presence("prompt", instance, SLOTS),
            styles=sorted(styles),
            style_settings=carried or UNSET,
            style_references=sorted(self._references.read_all()),
        )

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        """Write the prompts of a page, or as many of its first as fit one message.

        Raises:
            Refused: `unknown_style` for a style or reference that no file describes, with the nearest name.
        """
        if not isinstance(message, WritePrompts):
            raise AcpError("internal", f"the prompt agent has no work for {type(message).__name__}")
        return [await self._write_page(message)]

    async def _draft_prompts(self, wanted: Drafts, caller: Caller) -> DraftedPrompts:
        """The prompts of a plan that nobody keeps."""
        if not isinstance(wanted, DraftPrompts):
            raise BadMessage("invalid_value", f"{type(wanted).__name__} is no request for drafts")
        written = await self._write_page(wanted.request)
        return DraftedPrompts(prompts=[prompt.text for prompt in written.prompts])

    async def _write_page(self, message: WritePrompts) -> PromptsWritten:
        if not 0 < message.count <= MAX_COUNT or message.first < 0:
            raise AcpError("invalid_value", f"no page has {message.count} prompts from {message.first}")
        if message.wishes and len(message.wishes) != message.count:
            raise AcpError("invalid_value", f"{len(message.wishes)} wishes for {message.count} prompts")
        snapshot = await self._load_snapshot(message.catalogue)
        numbers = range(message.first, message.first + message.count)
        wishes = message.wishes or [PromptWish(number=number) for number in numbers]
        styles, references = await asyncio.to_thread(lambda: (self._styles.read_all(), self._references.read_all()))

        def written(wish: PromptWish) -> Prompt:
            request = request_of_wish(message, wish, snapshot)
            style = _require_style(request.style, styles)
            reference = _require_reference(request.style_reference, references)
            return with_references(write_prompt(request, style, reference, wish.number), wish, snapshot)

        prompts = _write_fitting(map(written, wishes))
        batch, client = message.hash, message.client_id
        return PromptsWritten(
            hash=batch, client_id=client, first=message.first, prompts=prompts, revision=message.revision
        )

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        if not isinstance(message, WritePrompts):
            return ()
        batch, client = message.hash, message.client_id
        return [
            PromptsFailed(
                hash=batch, client_id=client, first=message.first, error=error.body, revision=message.revision
            )
        ]

    async def _load_snapshot(self, blob: str | None) -> CatalogueSnapshot | None:
        """The catalogue of a page. It never changes, so the one that was read last is kept.

        Raises:
            AcpError: its blob is not there yet, which may work later, or is no catalogue.
        """
        if blob is None:
            return None
        if self._catalogue is None or self._catalogue[0] != blob:
            try:
                data = await self._blobs.get(blob, limit=MAX_CATALOGUE_BYTES)
                self._catalogue = blob, msgspec.json.decode(data, type=CatalogueSnapshot)
            except BlobMissing as error:
                raise AcpError("internal", f"the catalogue is missing: {error}", retryable=True) from error
            except msgspec.DecodeError as error:
                raise AcpError("invalid_value", f"the blob {blob} is no catalogue: {error}") from error
        return self._catalogue[1]


def build(settings: Settings) -> PromptWriter:
    """The prompt agent of a workshop: the packaged styles, overridden by those in the home folder."""
    return PromptWriter(
        styles=style_folders(settings),
        references=reference_folders(settings),
        blobs=LocalBlobs(settings.blobs),
    )


def style_folders(settings: Settings) -> list[Path]:
    """Where styles are: a later folder overrides an earlier one."""
    return [PACKAGE_FOLDER / "styles", settings.home / "styles"]


def reference_folders(settings: Settings) -> list[Path]:
    """Where style references are, in the same order."""
    return [PACKAGE_FOLDER / "references", settings.home / "references"]


def _write_fitting(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The first prompts, at least one, that fit one message; those after them are not even written."""
    fitting, size = list[Prompt](), 0
    for prompt in prompts:
        size += len(msgspec.json.encode(prompt))
        if fitting and size > MAX_PAGE_BYTES:
            break
        fitting.append(prompt)
    return fitting


def _require_style(name: str, styles: Mapping[str, Style]) -> Style:
    if name not in styles:
        problem = f"there is no style {name!r}"
        raise Refused("unknown_style", problem, path="$.style", hint=nearest(name, styles))
    return styles[name]


def _require_reference(name: str | None, references: Mapping[str, StyleReference]) -> StyleReference | None:
    if name is None:
        return None
    if name not in references:
        raise Refused(
            "unknown_style",
            f"there is no style reference {name!r}",
            path="$.requirements.style_reference",
            hint=nearest(name, references),
        )
    return references[name]
