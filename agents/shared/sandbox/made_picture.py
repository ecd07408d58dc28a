"""Pictures that an agent of the workshop was handed by another. Blocking."""

from agents.shared.picture import DecodedPicture, decode
from agents.shared.sandbox.pool import PARSERS, ParsedPicture

OWN_WRITERS = frozenset({"local", "instant"})
"""Providers whose pictures our own PNG writer wrote: models of this workshop, and flat colours without a model."""


def decode_made(data: bytes, provider: str) -> DecodedPicture | ParsedPicture:
    """A picture that `provider` made: decoded here if our own writer wrote it, else in a child, since a provider is a
    stranger and its bytes are kept as they came.

    Raises:
        Undecodable: it is no picture, or it takes more than a picture may.
    """
    return decode(data) if provider in OWN_WRITERS else PARSERS.parse_blocking(data)
