"""How many rows a model call has: pinned sizes, the best one for the pictures that wait, and the record of a picture's
buckets.

A row is one latent with its timestep and its text; a guided picture has two rows, others one. A picture depends on
the sizes of the calls it was in and on nothing else that shared them. Pure, except that `CallSizes` remembers.
"""

import statistics
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

PINNED_SIZES = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
"""Rows that a call may have; others are filled up to one of them."""

FEW_PINNED_SIZES = (1, 2, 4, 8, 16, 32)
"""Rows of calls whose model is compiled for each size anew, which takes seconds."""

MIN_CALLS = 4
"""Calls of a size after which its time is believed."""

MAX_RECENT_CALLS = 9
"""Calls of a size that its time is the median of. The least of all of them would flatter sizes that are used often."""

CALLS_BETWEEN_RETRIES = 16
"""Calls after which a size beyond the knee gets another chance: it may have been measured in a bad moment."""

MIN_RATE_SHARE = 0.95
"""Part of the best rows per second that the knee has to reach: a smaller call lets its pictures end sooner."""

BucketTrace = tuple[tuple[int, int], ...]
"""The calls that a picture was in, as (bucket, number of calls in a row with it). The bucket is the number of such
pictures that the call had room for: its rows by the picture's own. 1 is a picture alone."""


def padded_size(rows: int, sizes: Sequence[int] = PINNED_SIZES) -> int:
    """The pinned size for a number of rows; the number itself where it is over all of them."""
    return next((size for size in sizes if size >= rows), rows)


def knee(seconds: Mapping[int, float]) -> int:
    """The smallest size that comes near the best rows per second; 1 where nothing was measured."""
    rates = {size: size / taken for size, taken in seconds.items() if taken > 0}
    best = max(rates.values(), default=0.0)
    return min((size for size, rate in rates.items() if rate >= MIN_RATE_SHARE * best), default=1)


def rows_for_next_call(seconds: Mapping[int, float], cap: int, sizes: Sequence[int] = PINNED_SIZES) -> int:
    """The most rows to put into the next call: the knee. Until sizes of twice the knee were seen, the next one up is
    tried where there is work for it. `cap` is the memory's bound."""
    best, largest = knee(seconds), max(seconds, default=0)
    if largest < 2 * best:
        best = next((size for size in sizes if size > largest), best)
    return max((size for size in sizes if size <= min(best, cap)), default=sizes[0])


def max_rows_in_memory(peaks: Mapping[int, int], memory: int | None, sizes: Sequence[int] = PINNED_SIZES) -> int:
    """The most rows that fit into `memory` bytes, null without bound, by a straight line through the two largest sizes
    whose `peaks` were measured; twice the size where it was only one."""
    if memory is None or not peaks:
        return sizes[-1]
    *smaller, rows = sorted(peaks)
    if not smaller:
        return 2 * rows
    per_row = (peaks[rows] - peaks[smaller[-1]]) / (rows - smaller[-1])
    return sizes[-1] if per_row <= 0 else rows + int((memory - peaks[rows]) // per_row)


def halved_bound(rows: int, sizes: Sequence[int] = PINNED_SIZES) -> int:
    """The bound after a call of `rows` rows did not fit into memory."""
    return max((size for size in sizes if size <= rows // 2), default=1)


def extend_trace(trace: BucketTrace, bucket: int) -> BucketTrace:
    """A trace with one more call."""
    if trace and trace[-1][0] == bucket:
        return (*trace[:-1], (bucket, trace[-1][1] + 1))
    return (*trace, (bucket, 1))


def bucket_at(trace: Sequence[Sequence[int]], call: int) -> int:
    """The bucket of a call, counted from 0; the last one after the end, 1 in an empty trace."""
    for bucket, calls in trace:
        if call < calls:
            return bucket
        call -= calls
    return trace[-1][0] if trace else 1


class CallSizes:
    """What is known of each kind of call: the seconds it took by its rows, and what memory allows. `memory` is what
    there is, in bytes; null where peaks cannot be measured. `pinned` are the sizes that calls may have."""

    def __init__(self, memory: int | None = None, pinned: Sequence[int] = PINNED_SIZES) -> None:
        self.pinned = pinned
        self._memory = memory
        self._peaks: dict[Hashable, dict[int, int]] = defaultdict(dict)
        self._seconds: dict[Hashable, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._bounds: dict[Hashable, int] = {}
        self._calls: dict[Hashable, int] = defaultdict(int)

    def note(self, key: Hashable, rows: int, seconds: float, peak: int | None = None) -> None:
        """A call took `seconds` and `peak` bytes of memory at most, null where that was not measured.

        Of a size the first call does not count, because libraries prepare themselves in it.
        """
        seen = self._seconds[key][rows]
        seen.append(seconds)
        del seen[1:-MAX_RECENT_CALLS]
        if peak is not None:
            self._peaks[key][rows] = max(peak, self._peaks[key].get(rows, 0))

    def shrink(self, key: Hashable, rows: int) -> None:
        """A call of `rows` rows did not fit into memory."""
        self._bounds[key] = halved_bound(rows, self.pinned)

    def padded_size(self, rows: int) -> int:
        """The size of a call for a number of rows."""
        return padded_size(rows, self.pinned)

    def rows_for_next_call(self, key: Hashable) -> int:
        """The most rows for the next call; now and then more, to look again whether that pays."""
        measured = {rows: _median_seconds(seen) for rows, seen in self._seconds[key].items() if len(seen) >= MIN_CALLS}
        bound = min(
            self._bounds.get(key, self.pinned[-1]), max_rows_in_memory(self._peaks[key], self._memory, self.pinned)
        )
        best = rows_for_next_call(measured, bound, self.pinned)
        turn, rest = divmod(self._calls[key], CALLS_BETWEEN_RETRIES)
        self._calls[key] += 1
        if rest or not turn:
            return best
        beyond = [size for size in self.pinned if best < size <= min(2 * best, bound)] or [best]
        return beyond[turn % len(beyond)]

    def cost_ms(self, key: Hashable, rows: int) -> float:
        """What `rows` rows of a call cost, by the nearest size that was seen; 0 before the first."""
        known = self._seconds[key]
        if not known:
            return 0.0
        nearest = min(known, key=lambda size: abs(size - rows))
        return _median_seconds(known[nearest]) / nearest * rows * 1000


def _median_seconds(seen: Sequence[float]) -> float:
    """Seconds of a call of a size, from those that were seen of it."""
    return statistics.median(seen[1:] or seen)
