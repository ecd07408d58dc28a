"""When to start a process again. Pure: seconds in, seconds out.

The first restart is quick, since most deaths are accidents; a process that keeps dying is started ever more
rarely; one that lived long enough begins anew.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BackOff:
    """`first_s`, `factor` times more for each death in a row, at most `most_s`; forgotten after `stable_s`."""

    first_s: float = 0.2
    factor: float = 2.0
    max_s: float = 10.0
    stable_s: float = 30.0

    def deaths_in_a_row(self, before: int, lived_s: float) -> int:
        """The count of deaths, this one included, after a life of `lived_s` seconds."""
        return 1 if lived_s >= self.stable_s else before + 1

    def pause_s(self, deaths: int) -> float:
        """Seconds to wait after the `deaths`-th death in a row; deaths count from 1."""
        return min(self.max_s, self.first_s * self.factor ** min(deaths - 1, 32))
