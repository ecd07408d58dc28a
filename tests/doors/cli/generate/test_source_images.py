"""Pictures named on the command line: files go into the blob store, ids stay ids, and anything else is bad input."""

from pathlib import Path

import pytest
from PIL import Image

from agents.doors.cli.errors import BAD_INPUT, Failure
from agents.doors.cli.generate.order import GenerateOptions, command_of
from agents.doors.cli.generate.source_images import parse_control, parse_placement, parse_reference, parse_source
from bus.local_blobs import LocalBlobs
from protocol.parameters import ControlNet, ImageSource, Placement, Reference


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PNG file; the home is beside it."""
    monkeypatch.setenv("BOTTEGA_HOME", str(tmp_path / "home"))
    file = tmp_path / "car.png"
    Image.new("RGB", (32, 32), "red").save(file)
    return file


def test_a_file_is_put_into_the_blob_store(picture: Path):
    source = parse_source(str(picture))
    assert source.blob is not None
    assert LocalBlobs(picture.parent / "home" / "blobs").path(source.blob).read_bytes() == picture.read_bytes()


def test_what_is_no_file_may_be_the_id_of_a_picture(picture: Path):
    assert parse_source("gen_batch_42_000007") == ImageSource(image_id="gen_batch_42_000007")


@pytest.mark.parametrize("name", ["there/is/none.png", "text.png"])
def test_what_is_no_picture_is_bad_input(picture: Path, name: str):
    (picture.parent / "text.png").write_text("no picture")
    with pytest.raises(Failure) as raised:
        parse_source(str(picture.parent / name))
    assert raised.value.exit_code == BAD_INPUT


def test_a_control_is_a_kind_and_a_file_whose_structure_is_found_or_that_is_the_map(picture: Path):
    source = parse_source(str(picture))
    assert parse_control(f"canny:{picture}") == ControlNet(kind="canny", image=source)
    assert parse_control(f"depth-map:{picture}") == ControlNet(kind="depth", image=source, preprocessed=True)


@pytest.mark.parametrize("text", ["canny", "cany:car.png", "car.png", ":car.png"])
def test_a_control_of_another_form_is_bad_input(picture: Path, text: str):
    with pytest.raises(Failure) as raised:
        parse_control(text)
    assert raised.value.exit_code == BAD_INPUT


def test_a_reference_is_a_role_a_file_and_perhaps_a_weight(picture: Path):
    source = parse_source(str(picture))
    assert parse_reference(f"style:{picture}") == Reference(image=source, role="style")
    assert parse_reference(f"character:{picture}:0.8") == Reference(image=source, role="character", weight=0.8)
    for text in ("style", f"stile:{picture}", "style:", f"style:{picture}:heavy"):
        with pytest.raises(Failure):
            parse_reference(text)


def test_a_place_is_two_numbers_or_the_middle():
    assert parse_placement("32,0") == Placement(left=32, top=0)
    assert parse_placement("middle") == Placement()
    for text in ("32", "a,b", "-1,0", ""):
        with pytest.raises(Failure):
            parse_placement(text)


def test_pictures_are_fields_of_the_command(picture: Path):
    source = parse_source(str(picture))
    options = GenerateOptions(
        brief="a red car",
        image=source,
        strength=0.5,
        mask=source,
        placement=Placement(left=32),
        controls=[ControlNet(kind="canny", image=source)],
        references=[Reference(image=source, role="subject")],
    )
    command = command_of(options)
    assert (command.init_image, command.strength, command.mask) == (source, 0.5, source)
    assert (command.placement, command.controls) == (Placement(left=32), options.controls)
    assert command.references == options.references
