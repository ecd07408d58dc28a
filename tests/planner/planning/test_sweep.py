"""Sweeps: what the door lets in, which picture has which values, and what follows for its job."""

import msgspec
import pytest

from agents.planner.planning import judgement, prompt_notes
from agents.planner.planning.capabilities import merge_presences
from agents.planner.planning.recipe import Defaults, resolve
from agents.planner.planning.sweep import combination, count_combinations
from agents.planner.planning.variation import count_pictures, prompt_wishes, variation, vary
from protocol.codec import decode_command
from protocol.commands import GenerateImages
from protocol.errors import BadCommand, Refused
from protocol.messages import Job, ModelInfo, Presence
from protocol.offers import PromptReading
from protocol.parameters import Export, Lora, Requirements, Sweep
from protocol.pixels import PixelSpec
from tests.planner.workbench import RECIPE

SETS = Sweep(mode="list", values={"guidance": [3.0, 3.5, 4.0], "steps": [20, 28, 35]})
"""Three parameter sets, as a client might list them."""

GRID = Sweep(values={"steps": [20, 28], "guidance": [3.0, 3.5, 4.0]})

JOB = Job(
    pixels=PixelSpec(
        prompt="a mug",
        seed=42,
        width=128,
        height=128,
        steps=20,
        guidance=4.0,
        sampler="Euler",
        model="pocket",
        loras=[Lora(name="gold", weight=0.8)],
    ),
    hash="gen_batch_1",
    client_id="local",
    index=0,
    attempt=1,
    image_id="gen_batch_1_000000",
    platform="pocket",
    style="plain",
)


def order(sweep: Sweep | None = None, quantity: int = 1, **fields: object) -> GenerateImages:
    base = GenerateImages(brief="a mug", sweep=sweep, requirements=Requirements(quantity=quantity))
    return msgspec.structs.replace(base, **fields)


def door(sweep: str, **fields: object) -> GenerateImages:
    command = decode_command(
        msgspec.json.encode({"cmd": "GENERATE_IMAGES", "sweep": msgspec.Raw(sweep.encode()), **fields})
    )
    assert isinstance(command, GenerateImages)
    return command


def test_a_list_is_paired_side_by_side() -> None:
    assert [combination(SETS, number) for number in range(count_combinations(SETS))] == [
        {"guidance": 3.0, "steps": 20},
        {"guidance": 3.5, "steps": 28},
        {"guidance": 4.0, "steps": 35},
    ]


def test_a_grid_tries_every_combination_once_and_the_last_field_varies_fastest() -> None:
    tried = [tuple(combination(GRID, number).values()) for number in range(count_combinations(GRID))]

    assert tried == [(20, 3.0), (20, 3.5), (20, 4.0), (28, 3.0), (28, 3.5), (28, 4.0)]


def test_the_quantity_is_that_of_each_combination() -> None:
    assert count_pictures(order(GRID, quantity=4), RECIPE) == 24
    assert count_pictures(order(quantity=4), RECIPE) == 4


def test_a_million_combinations_are_not_expanded() -> None:
    wide = Sweep(
        values={"seed": list(range(1000)), "steps": list(range(1, 101)), "guidance": [1.0 * n for n in range(10)]}
    )
    command = order(wide)

    assert count_pictures(command, RECIPE) == 1_000_000
    assert variation(command, RECIPE, 999_999).swept == {"seed": 999, "steps": 100, "guidance": 9.0}


def test_more_pictures_than_a_batch_may_have_are_refused() -> None:
    wide = Sweep(values={"seed": list(range(1000)), "steps": list(range(1, 101))})
    with pytest.raises(BadCommand) as refused:
        count_pictures(order(wide, quantity=11), RECIPE)

    assert refused.value.body.path == "$.requirements.quantity"


def test_every_combination_is_tried_with_the_same_seeds() -> None:
    command = order(GRID, quantity=2)
    jobs = [vary(msgspec.structs.replace(JOB, index=index), command, RECIPE, seed=100) for index in range(12)]

    assert {(job.pixels.steps, job.pixels.guidance) for job in jobs} == {
        (s, g) for s in (20, 28) for g in (3.0, 3.5, 4.0)
    }
    assert [job.pixels.seed for job in jobs] == [100, 101] * 6
    assert [job.swept for job in jobs[:3]] == [
        {"steps": 20, "guidance": 3.0},
        {"steps": 20, "guidance": 3.0},
        {"steps": 20, "guidance": 3.5},
    ]


def test_swept_values_reach_the_job() -> None:
    values: dict[str, list[object]] = {
        "seed": [7], "sampler": ["euler a"], "resolution": ["16:9"], "lora:gold": [0.6], "style": ["poster"],
        "steps": [None],
    }  # fmt: skip
    recipe = msgspec.structs.replace(RECIPE, samplers={"euler a": "Euler a"}, sizes={"16:9": (192, 108)})
    job = vary(JOB, order(Sweep(values=values)), recipe, seed=42)  # pyright: ignore[reportArgumentType]

    assert (job.pixels.seed, job.pixels.sampler, job.pixels.width, job.pixels.height, job.style) == (
        7,
        "Euler a",
        192,
        108,
        "poster",
    )
    assert job.pixels.loras == [Lora(name="gold", weight=0.6)]
    assert job.pixels.steps == 20, "null is the model's own"


def test_a_batch_without_a_sweep_is_left_as_it_is() -> None:
    assert vary(JOB, order(), RECIPE, seed=42) is JOB
    assert prompt_wishes(order(), RECIPE, 0, 100) == []


def test_every_picture_of_an_order_is_named_by_its_template() -> None:
    for asked in (order(), order(GRID)):
        named = msgspec.structs.replace(asked, export=Export(name_template="{section}_{seed}"))
        assert vary(JOB, named, RECIPE, seed=42).name_template == "{section}_{seed}"


def test_swept_texts_are_wished_for_with_the_words_of_their_number() -> None:
    command = order(Sweep(values={"brief": ["a mug", "a cup"], "steps": [20, 28]}), quantity=2)
    page = prompt_wishes(command, RECIPE, 0, 8)

    assert [(wish.number, wish.brief) for wish in page] == [
        (n, brief) for brief in ("a mug", "a cup") for n in (0, 1, 0, 1)
    ]


def test_a_page_of_long_texts_is_cut_where_it_would_not_fit_a_message() -> None:
    command = order(Sweep(values={"prompt": ["é" * 4000] * 100}))
    page = prompt_wishes(command, RECIPE, 0, 100)

    assert 1 < len(page) < 100
    assert len(msgspec.json.encode(page)) < 1024 * 1024


def test_what_follows_the_last_combination_begins_anew_with_other_seeds() -> None:
    command = order(SETS, quantity=2)

    assert variation(command, RECIPE, 6).swept == variation(command, RECIPE, 0).swept
    assert variation(command, RECIPE, 6).number == 2


@pytest.mark.parametrize(
    ("sweep", "code", "path", "hint"),
    [
        ('{"values": {"stepps": [1]}}', "unknown_field", "$.sweep.values.stepps", "did you mean steps?"),
        (
            '{"values": {"guidance_scale": [1]}}',
            "unknown_field",
            "$.sweep.values.guidance_scale",
            "did you mean guidance?",
        ),
        ('{"values": {"steps": [20, 28, 151]}}', "invalid_value", "$.sweep.values.steps[2]", None),
        ('{"values": {"steps": [20, 28.5]}}', "invalid_value", "$.sweep.values.steps[1]", None),
        (
            '{"values": {"seed": [-1]}}',
            "invalid_value",
            "$.sweep.values.seed[0]",
            "seed of the initial noise, below 2^53",
        ),
        ('{"values": {"sampler": ["Euler", 3]}}', "invalid_value", "$.sweep.values.sampler[1]", None),
        ('{"values": {"prompt": [""]}}', "invalid_value", "$.sweep.values.prompt[0]", "1 to 4000 characters, no NUL"),
        ('{"values": {"lora:silver": [0.5]}}', "unknown_field", "$.sweep.values.lora:silver", None),
        ('{"values": {"lora:gold": [9]}}', "invalid_value", "$.sweep.values.lora:gold[0]", None),
        ('{"values": {}}', "invalid_value", "$.sweep.values", None),
        ('{"values": {"steps": []}}', "invalid_value", "$.sweep.values.steps", None),
        ('{"mode": "list", "values": {"steps": [1, 2], "seed": [1]}}', "invalid_value", "$.sweep.values.seed", None),
    ],
)
def test_the_door_names_the_place_of_what_cannot_be_swept(sweep: str, code: str, path: str, hint: str | None) -> None:
    with pytest.raises(BadCommand) as refused:
        door(sweep, loras=[{"name": "gold"}])

    body = refused.value.body
    assert (body.code, body.path) == (code, path)
    assert hint is None or body.hint == hint


def test_a_value_that_this_workshop_lacks_is_refused_at_its_place_in_the_sweep() -> None:
    model = ModelInfo(
        name="pocket", platform="pocket", installed=True, native_sizes=[(128, 128), (192, 108)], steps=20, guidance=4.0,
        guidance_range=(1.0, 8.0), sampler="Euler", negative_prompt=True, max_pixels=65536, multiple_of=4,
    )  # fmt: skip
    generator = Presence(
        role="generator", instance="g", pid=1, host="h", version="1", started_at="", slots=1, models=[model],
        samplers=["Euler", "Euler a"],
    )  # fmt: skip
    workshop, defaults = merge_presences([generator]), Defaults(None, 0.5, 3)

    recipe = resolve(door('{"values": {"sampler": ["euler A"], "resolution": ["16:9"]}}'), workshop, defaults)
    assert recipe.samplers == {"euler A": "Euler a"}
    assert recipe.sizes == {"16:9": (192, 108)}
    for sweep, path in (
        ('{"values": {"sampler": ["Euler", "Oiler"]}}', "$.sweep.values.sampler[1]"),
        ('{"values": {"resolution": ["huge"]}}', "$.sweep.values.resolution[0]"),
    ):
        with pytest.raises((BadCommand, Refused)) as refused:
            resolve(door(sweep), workshop, defaults)
        assert refused.value.body.path == path


def test_texts_are_read_once_however_many_values_they_are_planned_with() -> None:
    command = order(brief="a red mug that nobody else plans")
    model = ModelInfo(
        name="pocket",
        platform="pocket",
        installed=True,
        native_sizes=[(128, 128)],
        steps=20,
        guidance=3.5,
        guidance_range=(1.0, 7.0),
        sampler="Euler",
        negative_prompt=True,
        max_pixels=65536,
        multiple_of=4,
        prompts=PromptReading(weights=True),
    )
    for read in (judgement.reading_of, prompt_notes.notes_of_text):
        read.cache_clear()
    for steps in range(20, 30):
        one = msgspec.structs.replace(command, steps=steps)
        judgement.judgement_notes(one, "pocket", None)
        prompt_notes.prompt_notes(one, model)
    assert judgement.reading_of.cache_info().misses == 1
    assert prompt_notes.notes_of_text.cache_info().misses == 1
