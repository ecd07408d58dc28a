"""What is asked of one prompt of a page: the page's request with the changes that its wish makes, and the words that go
with reference pictures. Pure module."""

from typing import TypeVar

from msgspec.structs import replace

from protocol.catalogue import CatalogueCombo, CatalogueEntry, CatalogueSnapshot, Pose, ReferenceBlob
from protocol.errors import BadMessage
from protocol.messages import Prompt, PromptWish, WritePrompts
from protocol.prompt_syntax import escape_prompt

T = TypeVar("T")

REFERENCES_TEXT = (
    "\n\n"
    "Reference image shows: UI layout, composition, background, lighting.\n"
    "Keep exact: layout structure, text positions, color scheme, typography style.\n"
    "Replace model wardrobe with: {wardrobe}"
)
"""The text after a catalogue's prompt if a combo goes with it."""


def request_of_wish(request: WritePrompts, wish: PromptWish, snapshot: CatalogueSnapshot | None) -> WritePrompts:
    """The request as it applies to one prompt."""
    entry = entry_of(snapshot, wish)
    changes: dict[str, object] = {
        name: value
        for name in ("negative_prompt", "style", "style_reference")
        if (value := getattr(wish, name)) is not None
    }
    if wish.prompt is not None:
        changes["prompts"] = [wish.prompt]
    elif entry is not None:
        changes["prompts"] = [entry.text]
    elif wish.brief is not None:
        changes |= {"prompts": [], "brief": wish.brief}
    return replace(request, **changes) if changes else request


def with_references(prompt: Prompt, wish: PromptWish, snapshot: CatalogueSnapshot | None) -> Prompt:
    """The prompt with the pictures of its combo and the words that say what to take from them."""
    entry, combo = entry_of(snapshot, wish), combo_of(snapshot, wish)
    if entry is None or combo is None:
        return prompt
    return replace(
        prompt,
        text=prompt.text + REFERENCES_TEXT.format(wardrobe=escape_prompt(combo.description)),
        references=select_references(entry.pose, combo.references),
    )


def select_references(pose: Pose | None, references: list[ReferenceBlob]) -> list[ReferenceBlob]:
    """The pictures of a combo that a prompt follows. Of several poses it takes the one that it asks for, else the
    medium close-up, else the first. A picture that is missing is not replaced by one from outside the combo."""
    poses = [one for one in references if one.asset == "pose"]
    if len(poses) < 2:
        return references
    kept = next((one for wanted in (pose, "mcu") for one in poses if one.pose == wanted), poses[0])
    return [one for one in references if one.asset != "pose" or one is kept]


def entry_of(snapshot: CatalogueSnapshot | None, wish: PromptWish) -> CatalogueEntry | None:
    """The prompt file of a wish, or null.

    Raises:
        BadMessage: the catalogue has no such place.
    """
    return _item_at(snapshot.entries if snapshot else [], wish.entry)


def combo_of(snapshot: CatalogueSnapshot | None, wish: PromptWish) -> CatalogueCombo | None:
    """The combo of a wish, or null.

    Raises:
        BadMessage: the catalogue has no such place.
    """
    return _item_at(snapshot.combos if snapshot else [], wish.combo)


def _item_at(places: list[T], place: int | None) -> T | None:
    if place is None:
        return None
    if not 0 <= place < len(places):
        raise BadMessage("invalid_value", f"the catalogue has no place {place}")
    return places[place]
