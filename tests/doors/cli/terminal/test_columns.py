"""Lists on terminals of any width: everything but the last column is whole."""

import pytest
from rich.cells import cell_len

from agents.doors.cli.batches.status import format_batches
from agents.doors.cli.terminal.columns import cut, fold_row
from protocol.results import BatchState, BatchSummary

STATES: list[tuple[BatchState, int, int, int]] = [
    ("completed", 3, 3, 0),
    ("cancelled", 100000, 99000, 1000),
    ("held", 1, 0, 0),
]
BATCHES = [
    BatchSummary(
        hash=f"gen_batch_{number:020x}",
        state=state,
        quantity=quantity,
        completed=completed,
        failed=failed,
        cancelled=0,
        created_at="2026-11-30T20:06:21+00:00",
        brief="a green frog that sits on a very long log\nby the water",
        style=None,
        platform="pocket",
        priority="batch",
    )
    for number, (state, quantity, completed, failed) in enumerate(STATES)
]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_a_list_of_batches_keeps_hash_state_count_and_time_at_every_width(width: int):
    lines = format_batches(BATCHES, width)
    shown = " ".join(" ".join(lines).split())

    assert all(cell_len(line) <= width for line in lines)
    for batch, stored in zip(BATCHES, ("3/3", "99000/100000, 1000 failed", "0/1"), strict=True):
        assert f"{batch.hash} {batch.state} {stored} 11-30 20:06 UTC a green" in shown
    assert lines[0].startswith("batch ") == (width == 200)


def test_a_list_that_fits_is_a_table_with_a_line_for_each_batch():
    assert format_batches(BATCHES[:1], 80) == [
        "batch                           state      stored  when             what",
        "gen_batch_00000000000000000000  completed  3/3     11-30 20:06 UTC  a green fro…",
    ]


@pytest.mark.parametrize(
    ("cells", "width", "lines"),
    [
        (("hash", "state", "what"), 20, ["hash  state  what"]),
        (("hash", "state", "what"), 12, ["hash  state", "  what"]),
        (("hash", "state", "a long text of words"), 12, ["hash  state", "  a long te…"]),
        (("a-hash-longer-than-the-line", "state", ""), 10, ["a-hash-longer-than-the-line", "  state"]),
    ],
)
def test_a_row_takes_the_lines_that_it_needs(cells: tuple[str, ...], width: int, lines: list[str]):
    assert fold_row(cells, width) == lines


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("a car", 5, "a car"),
        ("a car", 4, "a c…"),
        ("赤い車の絵", 10, "赤い車の絵"),
        ("赤い車の絵", 6, "赤い …"),
        ("ab", 0, "…"),
    ],
)
def test_a_text_is_cut_to_the_columns_that_it_takes(text: str, width: int, shown: str):
    assert cut(text, width).rstrip() == shown
