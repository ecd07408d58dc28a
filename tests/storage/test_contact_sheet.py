"""Contact sheets, opened and measured."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.storage.contact_sheet import CELL_SIDE, MARGIN, MAX_PICTURES, SheetFrame, draw_sheet
from agents.storage.sheet_font import font_for, has_glyphs
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


def test_each_picture_has_its_prompt_and_the_batch_its_brief_and_facts(pictures: tuple[Path, Path]) -> None:
    bare, plain = frame(pictures[0]), replace(frame(pictures[0]), prompt="a red mug")
    assert drawn([plain]).tobytes() != drawn([bare]).tobytes()
    assert drawn([plain]).tobytes() != drawn([replace(plain, prompt="a red cup")]).tobytes()
    for facts in (["1 picture"], ["1 picture", "2026-11-30 20:19:45 UTC"]):
        sheet = Image.open(io.BytesIO(draw_sheet("gen_batch_1", [plain], 1, facts)))
        assert sheet.height > drawn([plain]).height


@pytest.mark.parametrize("title", ["a brief of very many words " * 40, "W" * 4000, "猫" * 4000, ""])
def test_titles_and_prompts_fit_a_sheet_of_one_picture(title: str, pictures: tuple[Path, Path]) -> None:
    sheet = Image.open(io.BytesIO(draw_sheet(title, [replace(frame(pictures[0], below_bar=True), prompt=title)], 1)))
    pixels = np.asarray(sheet.convert("RGB"))
    margin = pixels[:, 2 - MARGIN :]
    assert (margin == pixels[0, 0]).all(), "nothing is drawn into the margin"
    assert sheet.height < 2 * CELL_SIDE


def test_a_text_that_no_font_shows_whole_is_drawn_in_the_own_one() -> None:
    own = font_for("a mug", 12)
    assert font_for("a mug · …", 12) is own
    assert not has_glyphs(own, frozenset("猫"))
    assert font_for("\U0010fffd猫", 12) is own


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
