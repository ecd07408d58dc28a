"""What a person asked for with the flags of `bottega batch`, as a command of the protocol. Pure."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from agents.doors.cli.errors import bad_input
from agents.doors.cli.sessions.log import SessionConfig
from protocol.codec import decode_command, encode
from protocol.commands import GenerateImages
from protocol.parameters import Catalogue, Combos, Quality, Requirements

NATIVE = "native"
"""Quality of a session that names none, in its log: the size that its model was trained on."""


@dataclass(frozen=True)
class SessionOptions:
    """The flags of `bottega batch start`, as typed; lists are separated by commas. Without a flag for combos: prompts
    alone."""

    catalogs: str
    wardrobe: str | None = None
    ui_style: str | None = None
    combos: str = ""
    prompts: str = ""
    quality: str | None = None
    number: int = 1
    platform: str | None = None
    style: str | None = None
    seed: int | None = None
    steps: int | None = None
    min_score: float | None = None
    reuse: bool = True


def command_of(wanted: SessionOptions) -> GenerateImages:
    """The command, checked as the planner's door will check it.

    Raises:
        AcpError: a value that the protocol does not allow, with its path.
        Failure: no catalogue is named.
    """
    names = split_list(wanted.catalogs)
    if not names:
        raise bad_input("no catalogue is named", hint='--catalogues "v3.2,v4.2"')
    combos = split_list(wanted.combos)
    command = GenerateImages(
        catalogue=Catalogue(names=names, prompts=[_prompt_id(prompt) for prompt in split_list(wanted.prompts)]),
        combos=Combos(wardrobe=wanted.wardrobe, ui_style=wanted.ui_style, names=combos)
        if wanted.wardrobe or wanted.ui_style or combos
        else None,
        requirements=Requirements(quantity=wanted.number, resolution=wanted.quality),
        quality=Quality(min_score=wanted.min_score),
        platform=wanted.platform,
        style=wanted.style,
        seed=wanted.seed,
        steps=wanted.steps,
        reuse=wanted.reuse,
    )
    decode_command(encode(command))
    return command


def config_of(wanted: SessionOptions) -> SessionConfig:
    """The head of the session log."""
    return SessionConfig(
        wardrobe=wanted.wardrobe,
        catalogs=split_list(wanted.catalogs),
        ui_style=wanted.ui_style,
        quality=wanted.quality or NATIVE,
    )


def split_prompt_path(prompt: str) -> tuple[str, str]:
    """(catalogue, prompt id) of `catalog_v3.2/ZH01_unboxing_experience.md`.

    Raises:
        Failure: the catalogue is missing.
    """
    path = PurePosixPath(prompt)
    if len(path.parts) < 2:
        raise bad_input(
            f"--prompt {prompt} names no catalogue", hint="--prompt catalog_v3.2/ZH01_unboxing_experience.md"
        )
    return path.parts[-2], _prompt_id(path.name)


def split_list(text: str) -> list[str]:
    """The names in a list that is separated by commas."""
    return [name for part in text.split(",") if (name := part.strip())]


def _prompt_id(name: str) -> str:
    return name.removesuffix(".md")
