"""Rows of cells on a terminal of any width: a table where it fits, else each row on as many lines as it takes. Only the
last column, a text, is ever cut. Pure module."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

GAP = "  "
INDENT = "  "
MIN_TEXT_WIDTH = 12
"""Characters of the last column below which a table does not fit."""


def format_rows(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines that show `rows`, the header's first where they are a table."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header) - 1)]
    left = width - sum(widths) - len(GAP) * len(widths)
    if left >= MIN_TEXT_WIDTH:
        return [_table_line(row, widths, left) for row in (header, *rows)]
    return [line for row in rows for line in fold_row(row, width)]


def fold_row(cells: Sequence[str], width: int) -> list[str]:
    """A row on as many lines as its cells need, those after the first indented; none but the last is cut."""
    lines = [cells[0]]
    for cell in cells[1:-1]:
        if len(lines[-1]) + len(GAP) + len(cell) <= width:
            lines[-1] += f"{GAP}{cell}"
        else:
            lines.append(f"{INDENT}{cell}")
    room = width - len(lines[-1]) - len(GAP)
    if room >= min(MIN_TEXT_WIDTH, len(cells[-1])):
        lines[-1] = f"{lines[-1]}{GAP}{cut(cells[-1], room)}".rstrip()
    else:
        lines.append(f"{INDENT}{cut(cells[-1], width - len(INDENT))}")
    return lines


def cut(text: str, width: int) -> str:
    """A text that takes at most `width` columns, with an ellipsis where some of it is missing."""
    if cell_len(text) <= width:
        return text
    shown = Text(text)
    shown.truncate(max(1, width), overflow="ellipsis")
    return shown.plain


def _table_line(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    cells = [cell.ljust(size) for cell, size in zip(row, widths, strict=False)]
    return GAP.join([*cells, cut(row[-1], left)]).rstrip()
