# pyright: basic
"""Networks of other families than RRDB, and those that know faces, by spandrel. It is an extra (`restore`), because it
needs torchvision; it is imported when the first such file is read. Files are safetensors alone."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from protocol.errors import Refused

INSTALL_HINT = "pip install 'bottega[restore]', then restart the generator"

FACE_SIDE = 512
"""Pixels of the squares that networks for faces were trained on, where a network does not say."""

REPLACE_HINT = "get another one, as a .safetensors file"


def is_available() -> bool:
    """Whether the extra is installed."""
    return find_spec("spandrel") is not None


def load_network(file: Path) -> Any:
    """The network in a file, spandrel's `ImageModelDescriptor`, on the CPU. The file must have been inspected.

    Raises:
        Refused: the extra is not installed, or does not know such a network.
    """
    if not is_available():
        raise Refused("not_installed", f"{file.name} is of a family that only an extra reads", hint=INSTALL_HINT)
    from spandrel import ImageModelDescriptor, ModelLoader  # pyright: ignore[reportMissingImports] - an extra

    # Whatever a stranger's tensors do in forty families of networks.
    try:
        found = ModelLoader().load_from_file(file)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise Refused(
            "not_installed", f"{file.name} is no network that is known: {reason}", hint=REPLACE_HINT
        ) from error
    if not isinstance(found, ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        raise Refused("not_installed", f"{file.name} makes no picture of a picture", hint=REPLACE_HINT)
    return found
