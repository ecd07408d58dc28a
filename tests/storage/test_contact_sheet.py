"""Contact sheets, opened and measured."""

import io
from pathlib import Path

import pytest
from PIL import Image

from agents.storage.contact_sheet import CELL_SIDE, MAX_PICTURES, SheetFrame, draw_sheet
from tests.storage.making import png

RED, GREEN = (208, 32, 38), (52, 160, 62)


def frame(path: Path, index: int = 0, below_bar: bool = False, score: float | None = 0.87) -> SheetFrame:
    return SheetFrame(path=path, index=index, seed=123456 + index, score=score, below_bar=below_bar)


def drawn(frames: list[SheetFrame], total: int | None = None) -> Image.Image:
    return Image.open(io.BytesIO(draw_sheet("gen_batch_1", frames, total or len(frames)))).convert("RGB")


def share(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    colours = sheet.getcolors(sheet.width * sheet.height) or []
    return next((count for count, value in colours if value == colour), 0)


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    red, green = tmp_path / "red.png", tmp_path / "green.png"
    red.write_bytes(png(RED, (64, 64)))
    green.write_bytes(png(GREEN, (512, 256)))
    return red, green


def test_each_picture_is_shown_whole_in_its_shape(pictures: tuple[Path, Path]) -> None:
    sheet = drawn([frame(pictures[0]), frame(pictures[1], 1)])
    assert share(sheet, RED) == CELL_SIDE * CELL_SIDE
    assert share(sheet, GREEN) == CELL_SIDE * CELL_SIDE // 2


def test_captions_tell_pictures_apart(pictures: tuple[Path, Path]) -> None:
    plain = drawn([frame(pictures[0])])
    for other in (
        frame(pictures[0], index=1),
        frame(pictures[0], score=0.86),
        frame(pictures[0], score=None),
        frame(pictures[0], below_bar=True),
    ):
        assert drawn([other]).tobytes() != plain.tobytes()


def test_a_picture_whose_file_is_gone_or_broken_leaves_an_empty_place(
    tmp_path: Path, pictures: tuple[Path, Path]
) -> None:
    (tmp_path / "broken.png").write_bytes(png()[:48])
    sheet = drawn([frame(tmp_path / "gone.png"), frame(tmp_path / "broken.png", 1), frame(pictures[0], 2)])
    assert share(sheet, RED) == CELL_SIDE * CELL_SIDE


def test_a_large_batch_is_bounded_to_one_sheet(pictures: tuple[Path, Path]) -> None:
    frames = [frame(pictures[0], index) for index in range(MAX_PICTURES + 20)]
    sheet = drawn(frames, total=5000)
    assert share(sheet, RED) == MAX_PICTURES * CELL_SIDE * CELL_SIDE
    assert max(sheet.size) < 4000


def test_the_same_pictures_give_the_same_sheet(pictures: tuple[Path, Path]) -> None:
    assert draw_sheet("t", [frame(pictures[0])], 1) == draw_sheet("t", [frame(pictures[0])], 1)
