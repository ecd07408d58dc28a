"""Text broken into lines that fit a width, as the font measures it. Pure module."""

from collections.abc import Callable

ELLIPSIS = "…"


def fit_lines(text: str, measure: Callable[[str], float], width: float, lines: int) -> list[str]:
    """At most so many lines, none wider than `width`; what is left over is cut off with an ellipsis. A word that is
    wider than a line is broken. `measure` gives the width of a text."""
    rest = " ".join(text.split())
    fitted: list[str] = []
    while rest and len(fitted) < lines:
        if measure(rest) <= width:
            return [*fitted, rest]
        last = len(fitted) == lines - 1
        room = width - measure(ELLIPSIS) if last else width
        count = _characters_within(rest, measure, room)
        space = rest.rfind(" ", 0, count + 1)
        end = space if space > 0 else max(count, 1)
        fitted.append(rest[:end].rstrip() + (ELLIPSIS if last else ""))
        rest = rest[end:].lstrip()
    return fitted


def _characters_within(text: str, measure: Callable[[str], float], width: float) -> int:
    """How many characters from the start fit."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
