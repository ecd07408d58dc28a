"""The newest status published of each batch, so that no older one follows it. Pure apart from its own state.

Deliveries, commands and the reconciler may publish in another order than they commit in.
"""

from collections import OrderedDict

MAX_BATCHES = 4096
"""Batches remembered; the least recently published one goes first."""


class StatusOrder:
    """The revision that was last published, by batch."""

    def __init__(self, batches: int = MAX_BATCHES) -> None:
        self._revisions: OrderedDict[str, int] = OrderedDict()
        self._max_batches = batches

    def accept(self, batch: str, revision: int) -> bool:
        """Whether a status may be published, being no older than the last one; it is then the last one."""
        if revision < self._revisions.get(batch, revision):
            return False
        self._revisions[batch] = revision
        self._revisions.move_to_end(batch)
        while len(self._revisions) > self._max_batches:
            self._revisions.popitem(last=False)
        return True
