"""What one row of the manifest says."""

from dataclasses import dataclass
from typing import Literal

State = Literal["whole", "in part", "not yet"]


@dataclass(frozen=True)
class Requirement:
    """Something that the workshop does for whoever uses it, through what they can reach: NATS or the command line.

    `tests` names those that show it, as `test_file::test_function` without the folder, the most telling first.
    `missing` says what of it does not hold; `not_built` are the commands and fields of the protocol that are refused
    for it with `not_supported`. A row without tests does not hold at all, and its text says what it is about.
    """

    id: str
    text: str
    tests: tuple[str, ...] = ()
    missing: str = ""
    not_built: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The letter of its section."""
        return self.id[0]

    @property
    def state(self) -> State:
        """How far it holds."""
        if not self.tests:
            return "not yet"
        return "in part" if self.missing else "whole"
