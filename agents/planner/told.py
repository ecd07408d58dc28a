"""What was last told of each batch, so that no older status follows a newer one. Pure apart from its own state.

Deliveries, commands and the reconciler commit in one order and speak up in another.
"""

from collections import OrderedDict

from protocol.replies import GenerationStatus

MAX_BATCHES = 4096
"""Batches remembered; the one that was told of longest ago goes first."""


def progress_of(status: GenerationStatus) -> int:
    """How far a batch is. It only grows: pictures leave the queue and end, and never come back."""
    body = status.generation_status
    return body.completed + (body.failed or 0) + (body.cancelled or 0) - body.queued


class Told:
    """The progress that was last told of, by batch."""

    def __init__(self, batches: int = MAX_BATCHES) -> None:
        self._progress: OrderedDict[str, int] = OrderedDict()
        self._max_batches = batches

    def takes(self, status: GenerationStatus) -> bool:
        """Whether a status may be told, being no older than the last one; it is then the last one."""
        progress = progress_of(status)
        if progress < self._progress.get(status.hash, progress):
            return False
        self._progress[status.hash] = progress
        self._progress.move_to_end(status.hash)
        while len(self._progress) > self._max_batches:
            self._progress.popitem(last=False)
        return True
