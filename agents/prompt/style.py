"""Styles and style references: what their files may say, and how a file is read.

A style is a template with words to fill it; a style reference brings the words of a brand. Both are TOML
files that a person edits; the file's name is the style's name. Reading is the only effect here.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents.shared.toml_text import NotToml, parse_toml

MAX_FILE_BYTES = 256 * 1024
"""Largest style file that is read; the packaged ones have about 1 kB."""

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
"""A place in a template that is filled with a word."""

REFERENCE_WORDS = frozenset({"mood", "lens", "palette"})
"""Placeholders that a reference fills; without one, the style's own words, or their phrase is left out."""

_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")

_RESOLUTION = r"^(\d{2,5}x\d{2,5}|\d{1,4}(\.\d{1,3})?:\d{1,4}(\.\d{1,3})?|[124][Kk])$"

Word = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[tuple[Word, ...], Field(min_length=1, max_length=1000)]
Version = Annotated[str, Field(min_length=1, max_length=32)]
Template = Annotated[str, Field(min_length=1, max_length=2000)]
Negative = Annotated[str, Field(max_length=2000)]


class StyleFileError(ValueError):
    """A style or reference file cannot be used; the message names the file and the field."""


class _TomlTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_TomlTable):
    """Settings that apply where a command is silent, which its plan says; `quantity` is said alone."""

    sampler: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    steps: Annotated[int, Field(ge=1, le=150)] | None = None
    guidance: Annotated[float, Field(ge=0, le=50)] | None = None
    lora_weight: Annotated[float, Field(ge=-4, le=4)] | None = None
    quantity: Annotated[int, Field(ge=1)] | None = None
    resolution: Annotated[str, Field(pattern=_RESOLUTION)] | None = None


class Style(_TomlTable):
    """A named, versioned template. `subjects` are shown where a command names nothing to show; `dialects` are
    templates for platforms that understand other words."""

    name: str
    version: Version
    description: str
    template: Template
    negative: Negative = ""
    subjects: Words
    words: dict[str, Words] = {}
    settings: Settings = Field(default=Settings(), validation_alias=AliasChoices("settings", "advice"))
    dialects: dict[str, Template] = {}

    @model_validator(mode="after")
    def _templates_can_be_filled(self) -> Self:
        _check_template(self.template, self.words, "template")
        for platform, template in self.dialects.items():
            _check_template(template, self.words, f"dialects.{platform}")
        return self

    def template_for(self, platform: str) -> str:
        """The template that a platform understands best."""
        return self.dialects.get(platform, self.template)


class Colour(_TomlTable):
    """A colour of a brand: `name` is what prompts say, `hex` is exact."""

    name: Word
    hex: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]


class StyleReference(_TomlTable):
    """What a brand brings to any style: palette, backgrounds, mood, lens, negative prompt."""

    name: str
    version: Version
    description: str
    palette: Annotated[tuple[Colour, ...], Field(min_length=1, max_length=64)]
    backgrounds: tuple[Word, ...] = ()
    mood: tuple[Word, ...] = ()
    lens: tuple[Word, ...] = ()
    negative: Negative = ""


FileKind = TypeVar("FileKind", Style, StyleReference)


def read_style(path: Path) -> Style:
    """The style in a file.

    Raises:
        StyleFileError: the file cannot be read or says something that a style cannot have.
    """
    return _read(path, Style, "style")


def read_reference(path: Path) -> StyleReference:
    """The style reference in a file.

    Raises:
        StyleFileError: as `read_style`.
    """
    return _read(path, StyleReference, "style reference")


def _read(path: Path, kind: type[FileKind], noun: Literal["style", "style reference"]) -> FileKind:
    if not _NAME.fullmatch(path.stem):
        raise StyleFileError(
            f"{path}: a {noun}'s file is named by small letters, digits, _ and -, such as my_style.toml"
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StyleFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise StyleFileError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return parse(data, path, kind)


def parse(data: bytes, path: Path, kind: type[FileKind]) -> FileKind:
    """The style, or style reference, in the bytes of a file.

    Raises:
        StyleFileError: as `read_style`.
    """
    try:
        return kind.model_validate({**parse_toml(data), "name": path.stem})
    except NotToml as error:
        raise StyleFileError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise StyleFileError(f"{path}: {'; '.join(_sentences(error))}") from error


def _sentences(error: ValidationError) -> list[str]:
    return [
        ": ".join(part for part in (".".join(map(str, problem["loc"])), problem["msg"]) if part)
        for problem in error.errors(include_url=False)
    ]


def _check_template(template: str, words: dict[str, Words], field: str) -> None:
    names = PLACEHOLDER.findall(template)
    if "subject" not in names:
        raise ValueError(f"{field}: the template has no {{subject}}")
    if missing := sorted(set(names) - {"subject"} - REFERENCE_WORDS - words.keys()):
        raise ValueError(f"{field}: {{{missing[0]}}} has no words; give words.{missing[0]} a list")
    if set("{}") & set(PLACEHOLDER.sub("", template)):
        raise ValueError(f"{field}: a brace that is not part of a placeholder such as {{subject}}")
