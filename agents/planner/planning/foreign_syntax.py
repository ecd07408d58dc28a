"""Syntax of other programs in a text: what of it means something here, and what is only named. Pure module.

`{a|b}` is left to the prompt agent, which deals the words in turn; attention weights to the generator.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from protocol.prompt_syntax import is_json_object

_LORA_TAG = re.compile(r"<(?P<kind>lora|lyco):(?P<name>[^:<>]{1,128})(?P<rest>(?::[^:<>]{0,64}){0,8})>", re.IGNORECASE)
_HYPERNET = re.compile(r"<hypernet:[^<>]{0,140}>", re.IGNORECASE)
_EMBEDDING = re.compile(r"(?P<open>\()?\bembedding:(?P<name>[\w.\-]{1,128})(?P<weight>:[\d.]{1,8})?", re.IGNORECASE)
_SCHEDULE = re.compile(
    r"(?<!\\)\[(?P<before>[^\[\]:|]{0,300}):(?:(?P<after>[^\[\]:|]{0,300}):)?"
    r"\s*(?:\d{1,4}(?:\.\d{0,4})?|\.\d{1,4})\s*\]"
)
_ALTERNATION = re.compile(r"(?<!\\)\[(?P<first>[^\[\]{}|\"]{1,300})\|[^\[\]\"]{0,1000}\]")
_CHOICE = re.compile(r"\{(?P<first>[^{}|\"\n]{0,500})\|[^{}\"\n]{0,1000}\}")
_WILDCARD = re.compile(r"(?<![A-Za-z0-9_])__(?P<name>[A-Za-z0-9][\w\-/* ]{0,100}?)__(?![A-Za-z0-9_])")
_AND = re.compile(r"(?:\s{0,8}:\s{0,8}[+-]?\d{0,3}(?:\.\d{0,4})?)?\s{0,8}\bAND\b\s{0,8}")
_AND_WEIGHT = re.compile(r"\s{0,8}:\s{0,8}[+-]?\d{1,3}(?:\.\d{0,4})?\s{0,8}\Z")
_PLACEHOLDER = re.compile(r"\{\s*(?P<name>\w[\w \-]{0,40}?)\s*\}")
_PICKED = re.compile(r"\{\s*[\d\-]{1,7}\$\$(?:[^{}$|]{1,8}\$\$)?(?P<options>[^{}]{0,1000})\}")

SUBJECT = "subject"
"""The placeholder that `subjects` fill."""


@dataclass(frozen=True)
class ReadText:
    """A text as it is understood, and what of it is not done, in words."""

    text: str
    notes: list[str] = field(default_factory=list[str])


def read_syntax(text: str, words: Mapping[str, str], *, subjects: bool, written: bool = True) -> ReadText:
    """A text with the syntax of other programs taken off, where nothing here does it. `words` are the learned words
    that are installed, by their names in lower case; `subjects` says whether the command has some. A text that is not
    `written` by the prompt agent has one choice for all pictures. An object of JSON is left as it is."""
    if is_json_object(text):
        return ReadText(text)
    notes: list[str] = []
    text = _LORA_TAG.sub(lambda found: _read_lora(found, notes), text)
    if found := _HYPERNET.search(text):
        notes.append(f"{found[0]} is left out: no model here takes hypernetworks")
        text = _HYPERNET.sub("", text).strip(" ,")
    text = _EMBEDDING.sub(lambda found: _read_embedding(found, words, notes), text)
    text = _SCHEDULE.sub(lambda found: _read_schedule(found, notes), text)
    text = _ALTERNATION.sub(lambda found: _read_alternation(found, notes), text)
    text = _PICKED.sub(lambda found: _read_picked(found, notes), text)
    if not written:
        text = _CHOICE.sub(lambda found: _read_choice(found, notes), text)
    text = _WILDCARD.sub(lambda found: _read_wildcard(found, notes), text)
    text = _PLACEHOLDER.sub(lambda found: _read_placeholder(found, notes, subjects), text)
    return ReadText(_read_and(text, notes), notes)


def alternatives_of(text: str) -> Iterator[str]:
    """The texts that the choices of one make, each word of each of them in one at least; itself where it has none."""
    choices = [found[0][1:-1].split("|") for found in _CHOICE.finditer(text)]
    for turn in range(max(map(len, choices), default=1)):
        words = (options[turn % len(options)].strip() for options in choices)
        yield _CHOICE.sub(lambda found, words=words: next(words), text)


def without_lora_tags(text: str, notes: list[str]) -> str:
    """A text without LoRA tags, where they cannot be the command's."""
    notes += [f"{found[0]} is left out: name LoRAs in the command" for found in _LORA_TAG.finditer(text)]
    return _LORA_TAG.sub("", text)


def _read_lora(found: re.Match[str], notes: list[str]) -> str:
    weight, *others = [*found["rest"].split(":")[1:], ""][: found["rest"].count(":") or 1]
    if others:
        notes.append(f"{found[0]}: a LoRA has one weight here, {weight or 1}; {':'.join(others)!r} is left out")
    return f"<lora:{found['name']}{weight and ':' + weight}>"


def _read_embedding(found: re.Match[str], words: Mapping[str, str], notes: list[str]) -> str:
    name = re.sub(r"\.(safetensors|pt|bin)$", "", found["name"], flags=re.IGNORECASE)
    opened, weight = found["open"] or "", found["weight"] or ""
    if token := words.get(name.lower()):
        return f"{opened}{token}{weight}"
    notes.append(f"embedding:{name} is left out: no such word is installed for this model (bottega models add FILE)")
    return f"{opened}{weight}"


def _read_schedule(found: re.Match[str], notes: list[str]) -> str:
    before, after = found["before"], found["after"]
    # `[to:when]` adds words later, `[from::when]` takes them away.
    drawn = before if after is None or not after.strip() else after
    notes.append(f"{found[0]}: words do not change between steps here; drawn as {drawn.strip()!r} throughout")
    return drawn


def _read_alternation(found: re.Match[str], notes: list[str]) -> str:
    notes.append(f"{found[0]}: words do not change between steps here; drawn as {found['first'].strip()!r} throughout")
    return found["first"]


def _read_picked(found: re.Match[str], notes: list[str]) -> str:
    notes.append(f"{found[0]}: one of them is taken for each picture, not several")
    return f"{{{found['options']}}}"


def _read_choice(found: re.Match[str], notes: list[str]) -> str:
    notes.append(f"{found[0]}: there is no choice in this text; drawn as {found['first']!r} in all pictures")
    return found["first"]


def _read_wildcard(found: re.Match[str], notes: list[str]) -> str:
    words = re.sub(r"[\W_]+", " ", found["name"]).strip()
    notes.append(f"{found[0]}: there are no wildcard files here; drawn as {words!r}. Write the choice as {{red|blue}}")
    return words


def _read_placeholder(found: re.Match[str], notes: list[str], subjects: bool) -> str:
    name = found["name"]
    if name.lower() == SUBJECT:
        if subjects:
            return f"{{{SUBJECT}}}"
        notes.append(f"{found[0]}: the command has no subjects to fill it; drawn as the word {name!r}")
    else:
        notes.append(f"{found[0]}: nothing fills it; drawn as the word {name!r}. Write a choice as {{red|blue}}")
    return name


def _read_and(text: str, notes: list[str]) -> str:
    if not _AND.search(text) or not any(map(str.islower, text)):
        return text
    notes.append("AND: prompts are not composed here; drawn as one. Give parts of a picture as regions")
    return _AND_WEIGHT.sub("", _AND.sub(", ", text))
