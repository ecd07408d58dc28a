"""What the names and texts of prompt catalogues and combos of reference pictures mean. Pure module.

The layout is fixed:

    catalogues/catalog_v3.2/ZH01_unboxing_experience.md
    combos/Hoodie_combo/Orange_UI_Combos/C-U-013/{ui,wardrobe,bottom,product,pose_mcu}.png
"""

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from protocol.catalogue import Asset, CatalogueCombo, CatalogueEntry, Pose, short_id
from protocol.errors import BadCommand, Refused
from protocol.nearest import nearest

MAX_TEXTS = 200
"""Prompts of a catalogue that a plan says something of."""

CATALOGUE_PREFIX = "catalog"
WARDROBE_SUFFIX = "combo"
UI_STYLE_SUFFIX = "ui combos"

_FRONT_MATTER = re.compile(r"\A---[ \t\r]*\n.*?\n---[ \t\r]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"\A\s*#[^\n]*(?:\n|\Z)")
_WORDS = re.compile(r"[A-Za-z0-9]+(?:\.[0-9]+)*")
_FULL_POSE = re.compile(r"\b(straight|full[ -]?(height|length|body))\b", re.IGNORECASE)
_CLOSE_POSE = re.compile(r"\b(mcu|medium close[ -]?up)\b", re.IGNORECASE)
_ASSETS: tuple[tuple[Asset, tuple[str, ...]], ...] = (
    ("pose", ("pose", "poses")),
    ("ui", ("ui", "layout", "interface")),
    ("wardrobe", ("wardrobe", "top", "hoodie", "longsleeve", "shirt")),
    ("bottom", ("bottom", "bottoms", "pants", "shorts")),
    ("product", ("product", "products")),
)


class CatalogueSelection(Struct, frozen=True, kw_only=True):
    """What a batch runs through. `blob` is its `CatalogueSnapshot`; `entries` are (catalogue, prompt id), `combos`
    (wardrobe, ui style, combo id); `references` are the most pictures that one prompt goes along with, `assets` what
    those of all combos show. `texts` are the first prompts with their names, for what a plan says of them; a recipe
    is kept without."""

    blob: str
    entries: list[tuple[str, str]]
    combos: list[tuple[str, str, str]] = []
    references: int = 0
    assets: list[Asset] = []
    warnings: list[str] = []
    texts: list[tuple[str, str]] = []


def prompt_of(markdown: str) -> str:
    """The prompt in a prompt file: its text without front matter and title."""
    return _TITLE.sub("", _FRONT_MATTER.sub("", markdown.removeprefix("\ufeff")), count=1).strip()


def requested_pose(text: str) -> Pose | None:
    """The pose that a prompt asks for; null where it names none."""
    return "full" if _FULL_POSE.search(text) else "mcu" if _CLOSE_POSE.search(text) else None


def asset_of(stem: str) -> tuple[Asset, Pose | None]:
    """What a file of a combo folder shows, by its name: `pose_full` is the straight, full-height pose."""
    words = [word.lower() for word in _WORDS.findall(stem)]
    shown: list[Asset] = [asset for asset, names in _ASSETS if set(names) & set(words)]
    asset = shown[0] if shown else "other"
    spoken = " ".join(words)
    if asset != "pose":
        return asset, None
    return asset, "full" if "full" in words or "straight" in words else requested_pose(spoken)


def catalogue_folder(name: str, folders: Sequence[str], path: str) -> str:
    """The folder of a catalogue, `catalog_v3.2` for `v3.2`.

    Raises:
        Refused: there is none, or the name fits several; with the nearest one.
    """
    return _find_only_folder(name, folders, lambda folder: _stem(folder, prefix=CATALOGUE_PREFIX), "catalogue", path)


def wardrobe_folder(name: str, folders: Sequence[str]) -> str:
    """The folder of a wardrobe: `Hoodie_combo` for `hoodie` and for `zip-hoodie`, which is one.

    Raises:
        Refused: there is none, or the name fits several.
    """
    return _find_only_folder(name, folders, wardrobe_name, "wardrobe", "$.combos.wardrobe")


def ui_style_folder(name: str, folders: Sequence[str]) -> str:
    """The folder of a style of the interface: `Orange_UI_Combos` for `Orange`.

    Raises:
        Refused: there is none.
    """
    return _find_only_folder(name, folders, ui_style_name, "ui style", "$.combos.ui_style")


def wardrobe_name(folder: str) -> str:
    """`Hoodie` of `Hoodie_combo`."""
    return _stem(folder, suffix=WARDROBE_SUFFIX)


def ui_style_name(folder: str) -> str:
    """`Orange` of `Orange_UI_Combos`."""
    return _stem(folder, suffix=UI_STYLE_SUFFIX)


def catalogue_name(folder: str) -> str:
    """`v3.2` of `catalog_v3.2`."""
    return _stem(folder, prefix=CATALOGUE_PREFIX)


def select_entries(entries: Sequence[CatalogueEntry], names: Sequence[str]) -> list[CatalogueEntry]:
    """The entries whose whole or short id is named, in their order; all where none is.

    Raises:
        Refused: a name that no entry has, with the nearest one.
    """
    known = {name for entry in entries for name in (entry.id, short_id(entry.id))}
    _check_known(names, known, "prompt", "$.catalogue.prompts")
    return [entry for entry in entries if not names or {entry.id, short_id(entry.id)} & set(names)]


def select_combos(combos: Sequence[CatalogueCombo], names: Sequence[str]) -> list[CatalogueCombo]:
    """The combos that are named, in their order; all where none is.

    Raises:
        Refused: a name that no combo has, with the nearest one.
    """
    _check_known(names, {combo.id for combo in combos}, "combo", "$.combos.names")
    return [combo for combo in combos if not names or combo.id in names]


def pose_warnings(entries: Iterable[CatalogueEntry], combos: Iterable[CatalogueCombo]) -> list[str]:
    """What is said of combos that lack the full-height pose which prompts ask for. Nothing is looked for elsewhere."""
    asking = [entry.id for entry in entries if entry.pose == "full"]
    lacking = [combo for combo in combos if not any(one.pose == "full" for one in combo.references)]
    if not asking or not lacking:
        return []
    closer = sum(any(one.pose == "mcu" for one in combo.references) for combo in lacking)
    return [
        f"a full-height pose is asked for by {asking[0]}{_and_more(asking)} and missing in {lacking[0].id}"
        f"{_and_more(lacking)}: the combo's MCU pose is used instead ({closer} of {len(lacking)} have one)"
    ]


def _and_more(some: Sequence[object]) -> str:
    return f" and {len(some) - 1} more" if len(some) > 1 else ""


def _stem(folder: str, prefix: str = "", suffix: str = "") -> str:
    """A folder's name without the words that all its neighbours carry."""
    words = folder.replace("_", " ").strip()
    if suffix and words.lower().endswith(f" {suffix}"):
        words = words[: -len(suffix)]
    if prefix and re.match(rf"{prefix}(ue)?s? ", words, re.IGNORECASE):
        words = words.split(" ", 1)[1]
    return words.strip().replace(" ", "_")


def _find_only_folder(name: str, folders: Sequence[str], stem: Callable[[str], str], what: str, path: str) -> str:
    """The folder that a name means: the folder's own name, its stem, or a stem in whose words the name ends."""
    wanted = _normalise_name(name)
    exact = [folder for folder in folders if wanted in (_normalise_name(folder), _normalise_name(stem(folder)))]
    found = exact or [folder for folder in folders if _ends_with_stem(name, stem(folder))]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadCommand("invalid_value", f"the {what} {name!r} may be {' or '.join(found)}", path=path)
    raise Refused(
        "invalid_value",
        f"there is no {what} {name!r}",
        path=path,
        hint=nearest(name, map(stem, folders)) if folders else f"no {what} lies in this workshop's folder",
    )


def _ends_with_stem(name: str, stem: str) -> bool:
    words, end = (list(map(str.lower, _WORDS.findall(text))) for text in (name, stem))
    return bool(end) and words[-len(end) :] == end


def _normalise_name(name: str) -> str:
    return "".join(_WORDS.findall(name)).lower()


def _check_known(names: Sequence[str], known: Iterable[str], what: str, path: str) -> None:
    known = set(known)
    for position, name in enumerate(names):
        if name not in known:
            raise Refused(
                "invalid_value", f"there is no {what} {name!r}", path=f"{path}[{position}]", hint=nearest(name, known)
            )
