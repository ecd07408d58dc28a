"""A lock file, read: which version of each distribution, for which machines, and the hashes of its files."""

import re
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution of a lock."""

    version: str
    marker: Marker | None
    hashes: frozenset[str]

    def applies_here(self) -> bool:
        """Whether this machine and this Python need it."""
        return self.marker is None or self.marker.evaluate()


def read_lock(text: str) -> dict[NormalizedName, Pin]:
    """Distribution -> its pin. What is no exact version with hashes, such as a URL or an option, is a ValueError."""
    pins: dict[NormalizedName, Pin] = {}
    said = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)  # to pip no comment goes on in the next line
    for line in filter(None, map(str.strip, said.replace("\\\n", " ").splitlines())):
        head, *options = re.split(r"\s+(?=--)", line)
        found = [HASH.match(option) for option in options]
        if head.startswith("-") or not found or None in found:
            raise ValueError(f"not a distribution with sha256 hashes: {line[:80]}")
        requirement = Requirement(head)
        specifiers = list(requirement.specifier)
        if requirement.url or len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
            raise ValueError(f"not one exact version: {head}")
        name = canonicalize_name(requirement.name)
        if name in pins:
            raise ValueError(f"named twice: {name}")
        hashes = frozenset(match[1] for match in found if match)
        pins[name] = Pin(specifiers[0].version, requirement.marker, hashes)
    return pins
