import pytest

from agents.doors.cli.terminal.progress_state import BatchProgress, Phase, Row
from protocol.errors import ErrorBody
from protocol.messages import JobRef, Progress
from protocol.results import Image, ImageMetadata, ImageStatus, Performance, QualityMetrics, StatusBody


def progress(index: int, step: int, *, steps: int = 10, attempt: int = 1) -> Progress:
    ref = JobRef(hash="batch", client_id="local", index=index, attempt=attempt, image_id=f"batch_{index:06d}")
    return Progress(ref=ref, stage="generator", step=step, steps=steps)


def image(index: int, status: ImageStatus, attempts: int = 1, score: float | None = None) -> Image:
    metadata = ImageMetadata(
        generated_at=None,
        prompt_used="a car",
        revised_prompt=None,
        model_version=None,
        seed=7 + index,
        processing_time_s=2.0,
    )
    error = ErrorBody(code="internal", message="below the bar") if status == "failed" else None
    return Image(
        id=f"batch_{index:06d}",
        index=index,
        status=status,
        attempts=attempts,
        quality_score=score,
        metadata=metadata,
        error=error,
    )


def status(completed: int, processing: int, queued: int) -> StatusBody:
    return StatusBody(
        completed=completed,
        processing=processing,
        queued=queued,
        quality_metrics=QualityMetrics(avg_score=None, consistency=None, rejection_rate=None),
        performance=Performance(avg_time=None, gpu_util=None),
        cost_per_image=None,
    )


@pytest.mark.parametrize(
    ("news", "phase", "done"),
    [
        pytest.param([], "waiting", None, id="nothing is known"),
        pytest.param([image(0, "running")], "starting", None, id="handed out, no step yet"),
        pytest.param([progress(0, 4)], "drawing", 0.5, id="half of its steps"),
        pytest.param([progress(0, 9)], "judging", 1.0, id="all of its steps"),
        pytest.param([progress(0, 9), image(0, "retry", attempts=2)], "again", None, id="a new attempt"),
        pytest.param([progress(0, 9), progress(0, 0, attempt=2)], "drawing", 0.1, id="a new attempt is drawn"),
        pytest.param([image(0, "completed"), progress(0, 3)], "stored", None, id="late progress of a stored picture"),
        pytest.param([image(0, "failed")], "failed", None, id="failed"),
        pytest.param([image(0, "cancelled")], "cancelled", None, id="cancelled"),
    ],
)
def test_a_row_shows_the_latest_that_is_known(news: list[Image | Progress], phase: Phase, done: float | None):
    board = BatchProgress(quantity=1)
    for one in news:
        if isinstance(one, Progress):
            board.apply_progress(one)
        else:
            board.apply_images([one])
    assert board.row(0).phase == phase
    assert board.row(0).fraction_done == done


def test_progress_that_comes_out_of_order_does_not_go_back():
    board = BatchProgress(quantity=1)
    for step in (0, 5, 3):
        board.apply_progress(progress(0, step))
    assert board.row(0).step == 5
    board.apply_progress(progress(0, 0, attempt=2))
    board.apply_progress(progress(0, 9, attempt=1))
    assert (board.row(0).attempt, board.row(0).step) == (2, 0)


def test_a_picture_becomes_final_once():
    board = BatchProgress(quantity=2)
    images = [image(0, "completed", score=0.8), image(1, "running")]
    assert board.apply_images(images) == [
        Row(index=0, phase="stored", attempt=1, score=0.8, seed=7, seconds=2.0, error=None)
    ]
    assert board.apply_images(images) == []


def test_a_batch_is_over_when_no_picture_is_left_to_make():
    board = BatchProgress(quantity=3)
    board.apply_status(status(2, 1, 0))
    assert (board.finished_count, board.is_over) == (2, False)
    board.apply_status(status(3, 0, 0))
    assert (board.finished_count, board.is_over) == (3, True)


def test_an_old_status_does_not_take_finished_pictures_back():
    board = BatchProgress(quantity=3)
    board.apply_status(status(2, 1, 0))
    board.apply_status(status(1, 2, 0))
    assert board.finished_count == 2
    board.apply_images([image(index, "completed") for index in range(3)])
    assert board.is_over


def test_news_are_looked_for_from_the_first_unfinished_picture_on():
    board = BatchProgress(quantity=4)
    board.apply_images([image(0, "completed"), image(1, "running"), image(2, "completed")])
    assert board.first_open == 1
    board.apply_images([image(1, "failed")])
    assert board.first_open == 3


def test_rows_prefer_what_is_being_made_then_the_last_finished_then_the_next_waiting():
    board = BatchProgress(quantity=1_000_000)
    board.apply_images([image(index, "completed") for index in range(5)])
    board.apply_progress(progress(5, 1))
    board.apply_progress(progress(7, 2))
    assert [row.index for row in board.rows(4)] == [3, 4, 5, 7]
    assert [row.index for row in board.rows(8)] == [0, 1, 2, 3, 4, 5, 6, 7]
