"""Pictures that a person names on the command line: files go into the blob store, pictures of this home keep ids."""

import asyncio
import re
from pathlib import Path
from typing import get_args

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.speaker import file_refusal
from agents.shared.picture import MAX_BYTES, Undecodable
from agents.shared.picture_formats import FORMATS
from agents.shared.sandbox.pool import PARSERS
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.ids import is_id
from protocol.nearest import nearest
from protocol.parameters import ControlKind, ControlNet, ImageSource, Placement, Reference, ReferenceRole

_WEIGHT = re.compile(r"\d+(\.\d+)?", re.ASCII)


def parse_source(text: str) -> ImageSource:
    """The picture in a file, or that of an id.

    Raises:
        Failure: neither, or no picture; or the login is one that brings no files.
    """
    file = Path(text)
    if not file.is_file() and is_id(text):
        return ImageSource(image_id=text)
    settings = load_settings()
    if settings.nats_url and (refusal := file_refusal(Address.parse(settings.nats_url).user)):
        raise refusal
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        PARSERS.parse_blocking(data, "type")
    except OSError as error:
        raise bad_input(
            f"cannot read {text}: {error.strerror}", path=text, hint="name a file, or the id of a picture"
        ) from None
    except Undecodable as error:
        raise bad_input(f"{text} cannot be used: {error}", path=text, hint=f"give {', '.join(FORMATS)}") from None
    return ImageSource(blob=asyncio.run(LocalBlobs(settings.blobs).put(data)))


def parse_control(text: str) -> ControlNet:
    """`KIND:FILE`: a picture whose structure is found; `KIND-map:FILE`: one that shows nothing else.

    Raises:
        Failure: not of that form, or no picture.
    """
    kind, _, file = text.partition(":")
    for known in get_args(ControlKind):
        if kind.removesuffix("-map") == known and file:
            return ControlNet(kind=known, image=parse_source(file), preprocessed=kind != known)
    raise bad_input(f"--control {text} is not KIND:FILE", hint=nearest(kind, get_args(ControlKind)))


def parse_reference(text: str) -> Reference:
    """`ROLE:FILE` or `ROLE:FILE:WEIGHT`: a picture to follow beside the words.

    Raises:
        Failure: not of that form, or no picture.
    """
    role, _, rest = text.partition(":")
    file, _, weight = rest.rpartition(":")
    for known in get_args(ReferenceRole):
        if role == known and rest:
            if not file or not _WEIGHT.fullmatch(weight):
                return Reference(image=parse_source(rest), role=known)
            return Reference(image=parse_source(file), role=known, weight=float(weight))
    raise bad_input(f"--reference {text} is not ROLE:FILE", hint=nearest(role, get_args(ReferenceRole)))


def parse_placement(text: str) -> Placement:
    """`LEFT,TOP` in pixels, or `middle`.

    Raises:
        Failure: neither.
    """
    if text == "middle":
        return Placement()
    left, _, top = text.partition(",")
    if not (left.isdecimal() and top.isdecimal()):
        raise bad_input(f"--place {text} is not LEFT,TOP", hint="pixels, such as 32,0; or middle")
    return Placement(left=int(left), top=int(top))
