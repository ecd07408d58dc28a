import pytest

from agents.doors.cli.errors import BAD_INPUT, Failure
from agents.doors.cli.generate.order import GenerateOptions, animation_of, command_of, parse_lora, parse_region
from protocol.animation import Animation
from protocol.commands import GenerateImages, Lora, Quality, Requirements
from protocol.errors import AcpError
from protocol.parameters import Budget, Export, Region, Sweep


def test_flags_become_fields_of_the_command():
    options = GenerateOptions(
        brief="a red car",
        number=3,
        style="plain",
        platform="pocket",
        size="128x128",
        seed=7,
        steps=20,
        guidance=4.5,
        loras=["product_lora_v3:0.7"],
        min_score=0.6,
        negative="text",
        reuse=False,
    )
    assert command_of(options) == GenerateImages(
        brief="a red car",
        style="plain",
        platform="pocket",
        requirements=Requirements(quantity=3, resolution="128x128"),
        quality=Quality(min_score=0.6),
        negative_prompt="text",
        seed=7,
        steps=20,
        guidance=4.5,
        loras=[Lora(name="product_lora_v3", weight=0.7)],
        reuse=False,
    )


def test_every_field_that_people_need_has_a_flag():
    options = GenerateOptions(
        brief=None,
        sampler="Euler a",
        models=["base_sdxl", "film_lora"],
        style_reference="brand_guidelines_v2",
        subjects=["a mug", "a car"],
        prompts=["a finished prompt"],
        section="hero",
        name_template="{section}_{seed}",
        budget=0.5,
        unpriced="allow",
        consistency=0.7,
        max_attempts=2,
        hold=True,
        sweep=Sweep(values={"steps": [20, 28]}),
    )
    assert command_of(options) == GenerateImages(
        sampler="Euler a",
        models=["base_sdxl", "film_lora"],
        requirements=Requirements(style_reference="brand_guidelines_v2"),
        subjects=["a mug", "a car"],
        prompts=["a finished prompt"],
        section="hero",
        export=Export(name_template="{section}_{seed}"),
        budget=Budget(amount=0.5, unpriced="allow"),
        quality=Quality(consistency=0.7),
        max_attempts=2,
        hold=True,
        sweep=Sweep(values={"steps": [20, 28]}),
    )


@pytest.mark.parametrize(
    "options",
    [
        GenerateOptions(brief=None, prompts=["a car"]),
        GenerateOptions(brief=None, subjects=["a car"]),
        GenerateOptions(brief=None, sweep=Sweep(values={"prompt": ["a car"]})),
    ],
)
def test_a_brief_may_be_left_out_where_flags_say_what_to_show(options: GenerateOptions):
    assert command_of(options).brief is None


def test_an_order_that_says_nothing_of_what_to_show_is_told_how_to():
    with pytest.raises(Failure) as raised:
        command_of(GenerateOptions(brief=None, style="plain"))
    assert "bottega generate" in (raised.value.body.hint or "")


def test_a_flag_that_was_not_given_leaves_its_field_to_the_planner():
    assert command_of(GenerateOptions(brief="a red car")) == GenerateImages(brief="a red car")


@pytest.mark.parametrize(
    ("options", "path"),
    [
        pytest.param(GenerateOptions(brief=""), "$.brief", id="an empty brief"),
        pytest.param(GenerateOptions(brief="x", number=0), "$.requirements.quantity", id="no picture"),
        pytest.param(GenerateOptions(brief="x", min_score=2.0), "$.quality.min_score", id="a score above 1"),
        pytest.param(GenerateOptions(brief="x", consistency=2.0), "$.quality.consistency", id="a likeness above 1"),
        pytest.param(GenerateOptions(brief="x", budget=-1.0), "$.budget.amount", id="a negative budget"),
        pytest.param(GenerateOptions(brief="x", name_template="{sead}"), "$.export.name_template", id="no field"),
        pytest.param(GenerateOptions(brief="x", steps=-1), "$.steps", id="negative steps"),
        pytest.param(GenerateOptions(brief="x", seed=2**60), "$.seed", id="a seed beyond 2^53"),
        pytest.param(GenerateOptions(brief="x", loras=["a:99"]), "$.loras[0].weight", id="a weight out of range"),
    ],
)
def test_what_the_planner_would_refuse_is_refused_before_a_workshop_is_started(options: GenerateOptions, path: str):
    with pytest.raises(AcpError) as raised:
        command_of(options)
    assert raised.value.body.path == path


@pytest.mark.parametrize(
    ("text", "lora"),
    [
        ("product_lora_v3", Lora(name="product_lora_v3")),
        ("product_lora_v3:0.7", Lora(name="product_lora_v3", weight=0.7)),
        ("a:b:-1", Lora(name="a:b", weight=-1.0)),
    ],
)
def test_a_lora_is_a_name_and_perhaps_a_weight(text: str, lora: Lora):
    assert parse_lora(text) == lora


@pytest.mark.parametrize("text", ["product_lora_v3:strong", "product_lora_v3:nan"])
def test_a_weight_that_is_no_number_is_bad_input(text: str):
    with pytest.raises(Failure) as raised:
        parse_lora(text)
    assert raised.value.exit_code == BAD_INPUT


@pytest.mark.parametrize(
    "options", [GenerateOptions(brief="x", guidance=float("nan")), GenerateOptions(brief="x", min_score=float("inf"))]
)
def test_a_number_that_json_cannot_say_is_bad_input(options: GenerateOptions):
    with pytest.raises(Failure) as raised:
        command_of(options)
    assert raised.value.exit_code == BAD_INPUT


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("a red mug@0,0,0.5,1", Region(prompt="a red mug", box=[0, 0, 0.5, 1])),
        ("me@home @ desk@.5,0,.5,1:0.7", Region(prompt="me@home @ desk", box=[0.5, 0, 0.5, 1], weight=0.7)),
    ],
)
def test_a_region_is_a_prompt_and_where_it_is(text: str, region: Region):
    assert parse_region(text) == region


@pytest.mark.parametrize(
    "text", ["a red mug", "@0,0,1,1", "mug@0,0,1", "mug@0,0,1,one", "mug@0,0,1,nan", "mug@0,0,1,1:x"]
)
def test_a_region_without_its_place_is_refused(text: str):
    with pytest.raises(Failure) as raised:
        parse_region(text)
    assert raised.value.exit_code == BAD_INPUT


def test_frames_or_their_pace_make_a_sequence():
    assert animation_of(None, None) is None
    assert animation_of(8, None) == Animation(frames=8)
    assert animation_of(None, 12) == Animation(fps=12)
