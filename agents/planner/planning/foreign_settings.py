"""Settings that other programs write into prompts: the flags of Midjourney (`--ar 9:16`) and the lines that
AUTOMATIC1111's web UI puts below a prompt (`Steps: 20, Sampler: Euler a`). Pure module."""

import re
from dataclasses import dataclass, field

from protocol.ids import MAX_SEED

_FLAG = re.compile(r"(?<!\S)(?:--|—)(?P<name>[A-Za-z][A-Za-z_]{0,24})(?=[\s=:]|$)[ \t=]*")
_NUMBER = r"[+-]?\d{1,40}(?:\.\d{1,6})?\b"
_WORDS = r"(?:(?:https?:)?[^\s,-]\S*)"
_ALL = r"(?:(?!(?<!\S)(?:--|—)[A-Za-z]).)*"
_VALUES = {
    **dict.fromkeys(("ar", "aspect"), r"\d{1,5}(?:\.\d{1,3})?\s?[:x×/]\s?\d{1,5}(?:\.\d{1,3})?"),
    **dict.fromkeys(("no", "neg", "negative"), _ALL),
    **dict.fromkeys(("v", "version", "s", "stylize", "c", "chaos", "q", "quality", "w", "weird", "stop"), _NUMBER),
    **dict.fromkeys(("iw", "cw", "sw", "sv", "ow", "exp", "r", "repeat", "niji", "seed", "sameseed", "bs"), _NUMBER),
    **dict.fromkeys(("style", "sref", "cref", "oref", "p", "personalize", "profile"), _WORDS),
    **dict.fromkeys(("tile", "fast", "relax", "turbo", "raw", "draft", "video", "hd", "test", "testp", "creative"), ""),
}
"""Flag -> what belongs to it; of other flags, only a number."""

_INFOTEXT = re.compile(r"(?:\A|\n)[ \t]*(?P<settings>Steps:[ \t]*\d{1,6}[ \t]*,[^\n]*(?:\n[^\n]*){0,4})\s*\Z")
_NEGATIVE = re.compile(r"(?:\A|\n)[ \t]*Negative prompt:(?P<words>.*)\Z", re.DOTALL)
_PAIR = re.compile(r'\s*(?P<key>\w[\w \-/]{0,40}?)[ \t]*:[ \t]*(?P<value>"(?:[^"\\]|\\.){0,4000}"|[^,\n]*)(?:,|\n|$)')
_INFO_FIELDS = {
    "steps": "steps",
    "sampler": "sampler",
    "cfg scale": "guidance",
    "seed": "seed",
    "size": "resolution",
}


@dataclass(frozen=True)
class SettingsInText:
    """A text without its settings. `settings` are those that a command has too: (field, value, how the text says it);
    `others` are those that it has not."""

    text: str
    settings: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    others: list[str] = field(default_factory=list[str])


def split_settings(text: str) -> SettingsInText:
    """What a text shows, and the settings that stand in it."""
    found = SettingsInText(text)
    return _split_flags(_split_infotext(found))


def _split_infotext(found: SettingsInText) -> SettingsInText:
    text, settings, others = found.text, [*found.settings], [*found.others]
    if info := _INFOTEXT.search(text):
        text = text[: info.start()]
        pairs = {one["key"].strip(): one["value"].strip() for one in _PAIR.finditer(info["settings"])}
        schedule = pairs.pop("Schedule type", "")
        if schedule.lower() not in ("", "automatic") and "Sampler" in pairs:
            pairs["Sampler"] += f" {schedule}"
        for key, value in pairs.items():
            if name := _INFO_FIELDS.get(key.lower()):
                settings.append((name, value, f"{key}: {value}"))
            else:
                others.append(f"{key}: {value}"[:60])
    if negative := _NEGATIVE.search(text):
        text, words = text[: negative.start()], negative["words"].strip()
        if words:
            settings.append(("negative_prompt", words, "Negative prompt"))
    return SettingsInText(text if text == found.text else text.rstrip(), settings, others)


def _split_flags(found: SettingsInText) -> SettingsInText:
    text, settings, others = found.text, [*found.settings], [*found.others]
    kept: list[str] = []
    place = 0
    for flag in _FLAG.finditer(text):
        name = flag["name"].lower()
        known = name in _VALUES
        if not known and flag[0].startswith("—"):
            continue  # a dash of prose
        given = re.compile(_VALUES.get(name, _NUMBER), re.DOTALL).match(text, flag.end())
        value = given[0].strip() if given else ""
        kept.append(text[place : flag.start()])
        place = given.end() if given else flag.end()
        said = f"--{name} {value}".strip()
        match name:
            case "ar" | "aspect" if value:
                settings.append(("resolution", _aspect(value), said))
            case "no" | "neg" | "negative" if value:
                settings.append(("negative_prompt", value.strip(" ,"), said))
            case "seed" if value:
                settings.append(("seed", value, said))
            case _:
                others.append(said if known else f"{said} (no flag that is known here)")
    if not kept:
        return found
    kept.append(text[place:])
    words = (part.strip() for part in kept)
    return SettingsInText(" ".join(part for part in words if part), settings, others)


def _aspect(value: str) -> str:
    return re.sub(r"\s?[:x×/]\s?", ":", value)


def valid_value(name: str, value: str) -> int | float | str | None:
    """The value that a field of a command takes for what a text says; null where it would not take it."""
    try:
        match name:
            case "steps":
                return steps if 1 <= (steps := int(value)) <= 150 else None
            case "guidance":
                return guidance if 0 <= (guidance := float(value)) <= 50 else None
            case "seed":
                return seed if -1 <= (seed := int(value)) <= MAX_SEED else None
            case _:
                return value
    except ValueError:
        return None
