"""What the deterministic writer writes, by tables."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agents.prompt.agent import PACKAGE_FOLDER
from agents.prompt.style import Style, StyleReference, read_reference, read_style
from agents.prompt.writer import COLOURS, SIMILAR_COLOURS, write_prompt
from protocol.messages import Prompt, WritePrompts

STYLES = {path.stem: read_style(path) for path in sorted((PACKAGE_FOLDER / "styles").glob("*.toml"))}
BRAND = read_reference(PACKAGE_FOLDER / "references" / "brand_guidelines_v2.toml")


def request(**given: object) -> WritePrompts:
    base = {"hash": "gen_batch_1", "client_id": "local", "first": 0, "count": 4, "seed": 7, "type": "WRITE_PROMPTS"}
    return msgspec.convert(base | given, WritePrompts)


def page(
    asked: WritePrompts, style: Style = STYLES["plain"], reference: StyleReference | None = None, count: int = 4
) -> list[Prompt]:
    return [write_prompt(asked, style, reference, asked.first + place) for place in range(count)]


def test_plain_leaves_a_brief_exactly_as_it_is() -> None:
    brief = "  two {odd} mugs, (softly:1.2) lit,, really  "
    assert {prompt.text for prompt in page(request(brief=brief))} == {brief}


def test_a_dressed_brief_comes_first_and_whole_and_is_what_qa_looks_for() -> None:
    written = page(request(brief="a magenta mug, steaming"), STYLES["cinematic"])
    assert all(prompt.text.startswith("a magenta mug, steaming, cinematic film still, ") for prompt in written)
    assert {prompt.subject for prompt in written} == {"a magenta mug, steaming"}
    assert len({prompt.text for prompt in written}) > 1


def test_the_words_that_wake_a_lora_are_in_every_written_prompt_once() -> None:
    written = page(request(brief="a mug with a NEON sign", triggers=["neon sign", "zephyr rocket"]), count=1)
    assert [prompt.text for prompt in written] == ["zephyr rocket, a mug with a NEON sign"]
    finished = page(request(prompts=["a mug"], triggers=["neon sign"]), count=1)
    assert [prompt.text for prompt in finished] == ["a mug"]


def test_a_choice_deals_its_words_in_turn_inner_ones_first_and_in_what_must_not_be_shown_too() -> None:
    asked = request(brief="a {red|{dark |light }blue} mug", negative_prompt="{text|frame}")
    written = page(asked, count=8)
    assert sum(prompt.text == "a red mug" for prompt in written) == 4
    assert {prompt.text for prompt in written} <= {"a red mug", "a dark blue mug", "a darkblue mug", "a lightblue mug"}
    assert {prompt.negative for prompt in written} == {"text", "frame"}
    assert written == page(asked, count=8)


def test_subjects_fill_their_place_in_a_brief_and_in_prompts() -> None:
    things = ["mug", "car"]
    briefed = page(request(brief="a red {subject} on a table", subjects=things), count=2)
    assert sorted(prompt.text for prompt in briefed) == ["a red car on a table", "a red mug on a table"]
    given = page(request(prompts=["one {subject}", "two {subject}"], subjects=things), count=4)
    assert sorted(prompt.text for prompt in given) == ["one car", "one mug", "two car", "two mug"]
    assert [prompt.text for prompt in page(request(prompts=["one {subject}"]), count=1)] == ["one {subject}"]


def test_given_prompts_are_used_in_turn() -> None:
    assert [prompt.text for prompt in page(request(prompts=["one", "two", "three"]))] == ["one", "two", "three", "one"]


def test_a_command_without_a_brief_gets_varied_subjects_in_the_colours_of_the_brand() -> None:
    written = page(request(), STYLES["product_photography"], BRAND, count=6)
    assert len({prompt.subject for prompt in written}) == 6
    for prompt in written:
        assert sum(f"{name} " in prompt.subject for name in ("magenta", "teal", "yellow", "white", "black")) == 2
        assert "palette of magenta, teal and yellow" in prompt.text
        assert prompt.style_reference == "brand_guidelines_v2"


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        pytest.param("mug", "a mug on a background", id="a bare noun is coloured"),
        pytest.param("coffee mug", "a coffee mug on a background", id="so are two words"),
        pytest.param("a smiling founder", "a smiling founder on a background", id="a phrase keeps its colours"),
        pytest.param("red mug", "red mug on a background", id="a colour of its own is kept"),
        pytest.param("Ada Lovelace", "Ada Lovelace on a background", id="a name is not coloured"),
        pytest.param("a fox, teal background", "a fox, teal background", id="a background of its own is kept"),
    ],
)
def test_subjects_are_dressed_as_little_as_they_need(subject: str, shown: str) -> None:
    given = set(subject.replace(",", "").split())
    for prompt in page(request(subjects=[subject]), count=24):
        added = [word for word in prompt.text.split() if word not in COLOURS or word in given]
        assert " ".join(added).replace("an ", "a ") == shown


def test_subjects_with_a_brief_are_shown_in_its_scene() -> None:
    texts = {prompt.text for prompt in page(request(brief="at dawn", subjects=["a fox", "a hen"]))}
    assert texts == {"a fox, at dawn", "a hen, at dawn"}


def test_a_thing_never_stands_on_a_background_that_looks_like_it() -> None:
    for prompt in page(request(), count=200):
        colour, background = (word for word in prompt.subject.split() if word in COLOURS)
        assert colour != background
        assert not any({colour, background} <= family for family in SIMILAR_COLOURS)


def test_every_subject_of_a_style_is_shown_before_one_comes_again() -> None:
    style = STYLES["product_photography"]
    nouns = [
        prompt.subject.split(" on ")[0].split()[-1] for prompt in page(request(), style, count=len(style.subjects))
    ]
    assert sorted(nouns) == sorted(style.subjects)


def test_words_come_in_another_order_each_time_round() -> None:
    names = [f"a {name}" for name in ["fox", "hen", "owl", "ant", "bee", "cat"]]
    shown = [prompt.subject.split(" on ")[0] for prompt in page(request(subjects=names), count=12)]
    assert sorted(shown[:6]) == sorted(shown[6:]) == sorted(names)
    assert shown[:6] != shown[6:]


def test_the_negative_prompt_joins_command_style_and_reference_and_says_nothing_twice() -> None:
    asked = request(negative_prompt="Text, hands")
    assert page(asked, STYLES["fowlai"], BRAND)[0].negative == "Text, hands, watermark, extra limbs, mushy face"


def test_a_model_without_negative_prompts_gets_none() -> None:
    assert page(request(negative_prompt="text", negative_supported=False), STYLES["fowlai"], BRAND)[0].negative == ""


def test_a_phrase_without_a_word_for_it_is_left_out() -> None:
    text = page(request(brief="a mug"), STYLES["watercolour"])[0].text
    assert "mood" not in text
    assert "palette" not in text
    assert "{" not in text


def test_the_pocket_model_is_spoken_to_in_its_own_words() -> None:
    asked = request(brief="a red car on a white background", platform="pocket")
    assert (
        page(asked, STYLES["product_photography"], BRAND)[0].text
        == "a red car on a white background, studio photograph"
    )


def test_any_cut_into_pages_gives_the_same_prompts() -> None:
    whole = page(request(), STYLES["cinematic"], BRAND, count=90)
    tail = page(request(first=37), STYLES["cinematic"], BRAND, count=53)
    assert whole[37:] == tail


def test_another_process_writes_the_same_prompts() -> None:
    program = (
        "import sys, msgspec\n"
        "from tests.prompt.test_writer import BRAND, STYLES, page, request\n"
        "sys.stdout.buffer.write(msgspec.json.encode(page(request(), STYLES['editorial'], BRAND, count=20)))\n"
    )
    root = Path(__file__).parent.parent.parent
    there = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=True).stdout
    assert msgspec.json.decode(there, type=list[Prompt]) == page(request(), STYLES["editorial"], BRAND, count=20)


def test_another_seed_writes_other_prompts() -> None:
    assert page(request(), count=8) != page(request(seed=8), count=8)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("platform", ["pocket", "stable-diffusion-xl"])
def test_every_packaged_style_puts_the_content_first_and_fills_its_template(style: Style, platform: str) -> None:
    for reference in (None, BRAND):
        for prompt in page(request(platform=platform), style, reference, count=40):
            assert prompt.text.startswith(prompt.subject)
            assert not set("{}") & set(prompt.text)
            assert ", ," not in prompt.text
            assert not prompt.text.endswith(",")
            assert len(prompt.text.split()) <= 50
            assert (prompt.template, prompt.template_version) == (style.name, style.version)


def test_the_fowlai_style_is_the_template_and_the_preset_of_its_author() -> None:
    style = STYLES["fowlai"]
    text = page(request(brief="portrait"), style)[0].text
    assert text.endswith(" light, brand colours weaving through scene, shallow depth, 35 mm DSLR, f/2.2")
    assert style.negative == "text, watermark, extra limbs, mushy face"
    preset = style.settings
    assert (preset.sampler, preset.steps, preset.guidance) == ("DPM++ 2M Karras", 25, 7.0)
    assert (preset.lora_weight, preset.quantity, preset.resolution) == (0.8, 6, "9:16")


def test_a_template_may_have_weights_as_a_prompt_may() -> None:
    style = STYLES["plain"].model_copy(update={"template": "{subject}, (bokeh:1.2)"})
    text = write_prompt(request(prompts=["a (red:1.4) mug"]), style, None, 0).text
    assert text == "a (red:1.4) mug, (bokeh:1.2)"
