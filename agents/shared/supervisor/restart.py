"""When to start a process again. Pure: seconds in, seconds out.

The first restart is quick, because most deaths are accidents. A process that keeps dying is restarted less and less
often; one that has lived long enough starts anew.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BackOff:
    """The pause is `first_s`, `factor` times longer after each death in a row, at most `max_s`; deaths are forgotten
    after `stable_s`."""

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
