"""Pure module: how a batch stands in the words that clients know, derived from its state in the ledger and its counts.

The ledger says that a batch has ended; the counts say how: a completed batch without a stored picture has failed.
"""

from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tally import Tally
from protocol.results import BatchState as ShownState


def shown_state(state: BatchState, tally: Tally, *, unstarted: bool) -> ShownState:
    """What a client is told; `unstarted` says that the batch waits for its time and nothing was handed out yet."""
    match state:
        case BatchState.HELD | BatchState.CANCELLED:
            return state.value
        case BatchState.COMPLETED:
            return _end_of(tally)
        case _ if tally.stopped:
            return "cancelling"
        case BatchState.PAUSED:
            return "paused"
        case BatchState.RUNNING:
            return "waiting" if unstarted else "running"


def _end_of(tally: Tally) -> ShownState:
    """How a batch ended that nobody stopped: its pictures may have failed or been cancelled one by one."""
    if tally.failed:
        return "partly_failed" if tally.completed else "failed"
    return "cancelled" if tally.cancelled and not tally.completed else "completed"
