"""What a picture says about how it was made."""

import io
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from agents.storage.filing import read_record
from agents.storage.png import XMP_KEYWORD, with_text
from agents.storage.record import PROMPT_KEYWORD, Record, record_of, record_of_texts, sidecar_of, texts_of
from protocol.messages import Prompt
from tests.storage.making import png, store_image


def record(**job: Any) -> Record:
    return record_of(store_image(data=png(), **job), "teal")


def test_everything_needed_to_make_a_picture_again_comes_back_from_the_file_alone() -> None:
    whole = record(prompt=Prompt(text="a 猫 in “quotes”,\nsecond line", negative="text", subject="a 猫"))
    assert read_record(with_text(png(), texts_of(whole))) == whole


def test_a_picture_of_0_1_0_has_its_prompt_where_it_was_written_then() -> None:
    whole = record()
    texts = texts_of(whole)
    old = {"prompt" if name == PROMPT_KEYWORD else name: text for name, text in texts.items()}
    assert read_record(with_text(png(), old)) == whole


def test_a_graph_that_another_program_wrote_under_prompt_is_not_taken_for_the_prompt() -> None:
    whole = record()
    assert read_record(with_text(png(), texts_of(whole) | {"prompt": '{"3": {"class_type": "KSampler"}}'})) == whole


@pytest.mark.parametrize("prompt", ["null", "123", '{"a": 1}', '"', "[]", "a\nb"])
def test_a_prompt_that_looks_like_json_stays_text(prompt: str) -> None:
    whole = record(prompt=Prompt(text=prompt), section=None, style=None)
    assert record_of_texts(texts_of(whole)) == whole


def test_each_figure_is_a_text_of_its_own_that_other_programs_can_read() -> None:
    picture = Image.open(io.BytesIO(with_text(png(), texts_of(record()))))
    assert isinstance(picture, PngImageFile)
    texts = picture.text
    expected = {
        "bottega_prompt": "a teal mug, studio photograph",
        "negative_prompt": "text, watermark",
        "seed": "1000",
        "model": "pocket",
        "model_version": "0123abcd",
        "sampler": "DPM++ 2M Karras",
        "steps": "25",
        "guidance": "7.0",
        "loras": '[{"name":"product_lora_v3","weight":0.8}]',
        "bucket": "2",
        "buckets": '{"denoise":[[1,5],[2,20]],"decode":1}',
        "engine": "steps",
        "versions": '{"torch":"2.13.0","diffusers":"0.42.0"}',
        "stand_in_for": "stable-diffusion-xl",
        "score": "0.87",
        "attempt": "1",
        "batch": "gen_batch_1",
        "image_id": "gen_batch_1_000000",
    }
    assert {name: texts[name] for name in expected} == expected
    assert "prompt" not in texts, "where ComfyUI looks for a graph of its nodes"
    assert texts["Software"].startswith("bottega ")


def test_the_parameters_line_is_the_one_that_web_user_interfaces_read() -> None:
    software = record().software
    assert texts_of(record())["parameters"] == (
        "a teal mug, studio photograph <lora:product_lora_v3:0.8>\n"
        "Negative prompt: text, watermark\n"
        "Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1000, Size: 16x12, "
        f"Model hash: 0123abcd, Model: pocket, Version: {software}"
    )


def test_the_picture_says_that_a_model_made_it() -> None:
    packet = texts_of(record(prompt=Prompt(text="x", subject="a <b> & \x00 c")))[XMP_KEYWORD]
    tree = ElementTree.fromstring(packet[packet.index("<x:xmpmeta") : packet.index("<?xpacket end")])
    text = {element.tag.split("}")[1]: element.text for element in tree.iter()}
    assert text["DigitalSourceType"] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert text["li"] == "a <b> &  c"


def test_what_was_not_measured_is_null_in_the_sidecar_and_absent_in_the_picture() -> None:
    unscored = record_of(store_image(data=png(), score=None), "teal")
    assert msgspec.json.decode(sidecar_of(unscored))["score"] is None
    assert "score" not in texts_of(unscored)


def test_words_that_were_not_judged_come_back_and_are_left_out_where_there_are_none() -> None:
    message = store_image(data=png())
    judged = msgspec.structs.replace(message.assessment, not_judged=["paris", "rain"])
    whole = record_of(msgspec.structs.replace(message, assessment=judged), "teal")
    assert whole.not_judged == ["paris", "rain"]
    assert read_record(with_text(png(), texts_of(whole))) == whole
    assert b"not_judged" in sidecar_of(whole)
    assert b"not_judged" not in sidecar_of(record())


def test_a_picture_of_another_program_has_no_record() -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_record(with_text(png(), {"prompt": '{"nodes": []}', "seed": "abc"}))
