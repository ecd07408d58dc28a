"""What a client writes, as it is understood here: blank texts are refused, settings and syntax of other programs are
moved to the fields that they mean, and what nothing here does is named. Pure module."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from agents.planner.planning import sizes
from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.foreign_settings import split_settings, valid_value
from agents.planner.planning.foreign_syntax import read_syntax, without_lora_tags
from agents.planner.planning.lora_syntax import move_tags_to_loras
from agents.planner.planning.model_choice import normalise_name
from agents.planner.planning.sampler_names import find_sampler
from protocol.commands import GenerateImages
from protocol.errors import BadCommand
from protocol.nearest import bad_command
from protocol.prompt_syntax import plain_text
from protocol.sweep import LORA

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Unicode's categories of spaces, of control characters and of those that only join or order others."""

MAX_NOTES, MAX_NOTE = 100, 1000
"""Notes that a plan has, and characters of one."""

Note = tuple[str, str]
"""(the text that it is about, as plans name it, or "" for none; what is to be said)."""


@dataclass(frozen=True)
class ReadCommand:
    """A command as it is understood. What of its texts is not done is in `not_honoured`, what its texts set in
    `warnings`."""

    command: GenerateImages
    not_honoured: list[str]
    warnings: list[str]


def read_texts(command: GenerateImages, workshop: Capabilities) -> ReadCommand:
    """The command without the syntax of other programs.

    Raises:
        BadCommand: a text is blank, a LoRA's tag is wrong, or what the texts set is more than a field takes.
    """
    reader = _Reader(command, workshop)
    changes: dict[str, Any] = {}
    if command.brief is not None:
        changes["brief"] = reader.read(command.brief, "brief", settle=True)
    for name in ("subjects", "prompts"):
        texts: list[str] = getattr(command, name)
        changes[name] = [reader.read(text, f"{name}[{place}]", settle=True) for place, text in enumerate(texts)]
    if command.negative_prompt is not None:
        changes["negative_prompt"] = reader.read(command.negative_prompt, "negative_prompt", blank=True)
    changes["regions"] = [
        replace(region, prompt=reader.read(region.prompt, f"regions[{place}].prompt", written=False))
        for place, region in enumerate(command.regions)
    ]
    if command.sweep is not None:
        changes["sweep"] = replace(command.sweep, values=reader.read_swept(command.sweep.values))
    command = reader.settle(replace(command, **changes))
    if command.seed == -1:
        reader.warnings.append(("", "seed: -1 draws one at random, as leaving it out does"))
        command = replace(command, seed=None)
    command = _with_known_loras(move_tags_to_loras(command), workshop)
    _check_bounds(command)
    return ReadCommand(command, group_notes(reader.not_honoured), group_notes(reader.warnings))


def read_catalogue_text(text: str, where: str, words: Mapping[str, str]) -> tuple[str, list[Note]]:
    """The text of a prompt file as it is understood, and what of it is not done."""
    found = split_settings(text)
    read = read_syntax(found.text, words, subjects=False)
    shown = without_lora_tags(read.text, read.notes)
    left = [said for _, _, said in found.settings] + found.others
    notes = [(where, f"{said} is left out: the command has the settings of a catalogue") for said in left]
    return shown, [*notes, *((where, note) for note in read.notes)]


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def group_notes(notes: Iterable[Note]) -> list[str]:
    """Each thing that is to be said, once, with the text that it is about and how many more."""
    places: dict[str, list[str]] = {}
    for where, note in notes:
        places.setdefault(note, []).append(where)
    return [f"{_places(said)}{note}" for note, said in places.items()]


def bound_notes(notes: Sequence[str]) -> list[str]:
    """What is said of a command, as much as fits a reply: the first notes, and how many more there are."""
    shown = [note if len(note) <= MAX_NOTE else f"{note[: MAX_NOTE - 1]}…" for note in notes[:MAX_NOTES]]
    return shown if len(notes) <= MAX_NOTES else [*shown, f"and {len(notes) - MAX_NOTES} more of the kind"]


def _check_bounds(command: GenerateImages) -> None:
    """See that what was put together from several fields fits one: no ledger could read a command that does not.

    Raises:
        BadCommand: it does not fit.
    """
    encoded = msgspec.json.encode(command)
    try:
        msgspec.json.decode(encoded, type=GenerateImages)
    except msgspec.ValidationError as error:
        raise bad_command(error, encoded) from error


def _places(said: Sequence[str]) -> str:
    if not said[0]:
        return ""
    return f"{said[0]}: " if len(said) == 1 else f"{said[0]} and {len(said) - 1} more: "


def _with_known_loras(command: GenerateImages, workshop: Capabilities) -> GenerateImages:
    """The command with its LoRAs by the names that they have here, whatever the case and punctuation that it has for
    them; a swept one keeps its name."""
    swept = command.sweep.values if command.sweep else {}
    names = {normalise_name(name): name for name in workshop.loras}
    return replace(
        command,
        loras=[
            one
            if one.name in workshop.loras or f"{LORA}{one.name}" in swept
            else replace(one, name=names.get(normalise_name(one.name), one.name))
            for one in command.loras
        ],
    )


class _Reader:
    """Reads the texts of one command, and collects what is to be said of them."""

    def __init__(self, command: GenerateImages, workshop: Capabilities) -> None:
        self._workshop = workshop
        self._words = workshop.words
        self._has_subjects = bool(command.subjects)
        self._settled: dict[str, tuple[Any, str, str]] = {}
        self.not_honoured: list[Note] = []
        self.warnings: list[Note] = []

    def read(self, text: str, where: str, *, settle: bool = False, blank: bool = False, written: bool = True) -> str:
        """A text as it is understood. With `settle` its settings are those of the command, a `blank` one is nothing;
        `written` as in `read_syntax`."""
        if is_blank(text) and blank:
            return ""
        found = split_settings(text)
        subjects = self._has_subjects and written and not where.startswith(("subjects", "negative"))
        read = read_syntax(found.text, self._words, subjects=subjects, written=written)
        shown = read.text if settle else without_lora_tags(read.text, read.notes)
        nothing = is_blank(plain_text(shown))
        if nothing and blank:
            shown = ""
        elif nothing:
            raise BadCommand(
                "invalid_value",
                "it is blank: there is nothing in it to draw",
                path=f"$.{where}",
                hint="say what the picture shows, or leave the field out",
            )
        for name, value, said in found.settings:
            if settle:
                self._note_setting(name, value, said, where)
            else:
                self.not_honoured.append((where, f"{said} is left out: set it in the command"))
        self.not_honoured += [(where, f"{said} is left out: nothing here does it") for said in found.others]
        self.not_honoured += [(where, note) for note in read.notes]
        return shown

    def read_swept(self, values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """The values of a sweep, those that are texts as they are understood."""
        return {
            name: [
                self.read(value, f"sweep.values.{name}[{place}]", blank=name == "negative_prompt")
                if name in ("brief", "prompt", "negative_prompt") and isinstance(value, str)
                else value
                for place, value in enumerate(column)
            ]
            for name, column in values.items()
        }

    def settle(self, command: GenerateImages) -> GenerateImages:
        """The command with the settings of its texts where it has none itself."""
        for name, (value, said, where) in self._settled.items():
            if name == "negative_prompt":
                own = command.negative_prompt
                command = replace(command, negative_prompt=f"{own}, {value}" if own else value)
            elif name == "resolution":
                if command.requirements.resolution is not None:
                    self._keep_own(name, said, where)
                    continue
                command = replace(command, requirements=replace(command.requirements, resolution=value))
            elif getattr(command, name) is not None:
                self._keep_own(name, said, where)
                continue
            else:
                command = replace(command, **{name: value})
            self.warnings.append((where, f"{said} sets the {name} of the batch"))
        return command

    def _keep_own(self, name: str, said: str, where: str) -> None:
        self.not_honoured.append((where, f"{said} is left out: the command sets the {name} itself"))

    def _note_setting(self, name: str, value: str, said: str, where: str) -> None:
        valid = self._valid(name, value)
        if valid is None:
            self.not_honoured.append((where, f"{said} is left out: it is no {name} here"))
        elif self._settled.get(name, (valid,))[0] == valid:
            self._settled.setdefault(name, (valid, said, where))
        else:
            first = self._settled[name][2]
            self.not_honoured.append((where, f"{said} is left out: all pictures of a batch have the {name} of {first}"))

    def _valid(self, name: str, value: str) -> Any:
        if name == "sampler":
            return find_sampler(value, self._workshop)
        if name == "resolution":
            try:
                sizes.parse(value)
            except BadCommand:
                return None
        return valid_value(name, value)
