"""Whether the broker still stores what is published, and when it has to be started again for it.

nats-server keeps the first failure to write of a stream until its process ends: after a full disk a stream takes
nothing, however much room there is. Starting the server again is what ends that, and is worth it only once there is
room.

Pure module: what was seen goes in, what to do comes out.
"""

from dataclasses import dataclass, replace
from typing import Literal

from agents.shared.supervisor.restart import BackOff
from bus.disk_space import FULL_BYTES

SETTLED_LOOKS = 2
"""Looks in a row that find room before a restart: whoever frees a disk is often not done with the first file."""

UNSTORED_LOOKS = 3
"""Looks in a row in which a message was not stored although there is room: one may be a busy machine."""

RESTARTS = BackOff(first_s=5.0, factor=2.0, max_s=600.0, stable_s=900.0)
"""Pauses between two restarts: a broker that stores nothing after one has another trouble."""

Verdict = Literal["fine", "full", "stuck", "restart"]
"""`full` waits for room, `stuck` for the time of the next restart."""


@dataclass(frozen=True)
class Look:
    """What was seen of the broker at a moment. `free` is the room on its disk, null where that is not known; `stored`
    whether a message was stored, null where nobody could be asked; `failed_writes` are those of which its log told
    since the look before."""

    at_s: float
    free: int | None
    stored: bool | None
    failed_writes: int = 0


@dataclass(frozen=True)
class StoreState:
    """What the looks at one broker add up to. `suspect` is a broker that had no room since it was started."""

    suspect: bool = False
    roomy: int = 0
    unstored: int = 0
    restarts: int = 0
    restarted_s: float | None = None


def judge(state: StoreState, look: Look, policy: BackOff = RESTARTS) -> tuple[StoreState, Verdict]:
    """The state after a look, and what to do."""
    if look.free is not None and look.free < FULL_BYTES:
        return replace(state, suspect=True, roomy=0, unstored=0), "full"
    unstored = state.unstored if look.stored is None else 0 if look.stored else state.unstored + 1
    state = replace(state, suspect=state.suspect or look.failed_writes > 0, roomy=state.roomy + 1, unstored=unstored)
    if not state.suspect and state.unstored < UNSTORED_LOOKS:
        return state, "fine"
    if state.roomy < SETTLED_LOOKS or not _is_due(state, look.at_s, policy):
        return state, "stuck"
    lived = policy.stable_s if state.restarted_s is None else look.at_s - state.restarted_s
    restarts = policy.deaths_in_a_row(state.restarts, lived)
    return StoreState(restarts=restarts, restarted_s=look.at_s), "restart"


def _is_due(state: StoreState, now_s: float, policy: BackOff) -> bool:
    return state.restarted_s is None or now_s - state.restarted_s >= policy.pause_s(state.restarts)
