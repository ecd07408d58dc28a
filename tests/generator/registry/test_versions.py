"""What tells pictures apart: whoever looks for a stored one names the versions that whoever made it would name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.generator import announce
from agents.generator.orders.post_stages import order_with_stages
from agents.generator.registry import weight_hashes
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import installed_weights
from agents.planner.scheduling.reuse import digests
from agents.shared.presence import base_presence
from protocol.messages import Job, Prompt
from protocol.parameters import Region
from protocol.pixels import pixel_digest
from protocol.post import Refine
from protocol.sources import ImagePrompt

ENTRIES = """
[embeddings.zest]
platform = "stable_diffusion_1_5"
token = "zest"
[embeddings.lime]
platform = "stable_diffusion_1_5"
token = "<lime>"
[embeddings.other]
platform = "stable_diffusion_xl"
token = "mug"
[ip_adapters.one]
platform = "stable_diffusion_1_5"
path = "ip_adapters/shared"
weights = "one.safetensors"
[ip_adapters.two]
platform = "stable_diffusion_1_5"
path = "ip_adapters/shared"
weights = "two.safetensors"
"""

FOLLOWED = [ImagePrompt(blob=f"{n:064x}", role="style", adapter=name) for n, name in enumerate(("two", "one", "two"))]
STAR = Region(prompt="a <LIME> star", box=[0, 0, 0.5, 1])


@pytest.fixture
def shelves(home: Path) -> Callable[[str, str], None]:
    """Files for the entries, and a way to change how they are written."""
    for name in ("one.safetensors", "two.safetensors", "image_encoder/config.json", "image_encoder/model.safetensors"):
        file = home / "ip_adapters" / "shared" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (home / "embeddings").mkdir()
    for name in ("zest", "lime", "other"):
        (home / "embeddings" / f"{name}.safetensors").write_text(name)
    models = (home / "models.toml").read_text(encoding="utf-8")
    (home / "models.toml").write_text(models + ENTRIES, encoding="utf-8")

    def rewrite(old: str, new: str) -> None:
        text = (home / "models.toml").read_text(encoding="utf-8")
        assert old in text
        (home / "models.toml").write_text(text.replace(old, new, 1), encoding="utf-8")

    return rewrite


def looked_for(job: Job, known: Registry, kept: Path) -> tuple[str, str]:
    """By what a stored picture is sought, and by what one that is made now would be found."""
    versions = announce.Versions()
    for part in installed_weights(known):
        versions.remember(part, weight_hashes.version_of(part.path, kept, part.settings))
    announced = replace(
        base_presence("generator", "g", 1),
        offers=announce.announce(known, versions, announce.Speeds()),
    )
    made = "+".join(
        weight_hashes.version_of(part.path, kept, part.settings) for part in order_with_stages(job, known).weights
    )
    return digests([job], [announced])[job.index], pixel_digest(job.pixels, made)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"prompt": Prompt(text="a mug")}, id="none"),
        pytest.param({"prompt": Prompt(text="a zest mug")}, id="a word"),
        pytest.param({"prompt": Prompt(text="a mug", negative="Zest, <lime>")}, id="unwanted words"),
        pytest.param({"regions": [STAR]}, id="a word of a region"),
        pytest.param({"post": [Refine(strength=0.5, prompt_suffix="zest")]}, id="a word of a refinement"),
        pytest.param({"prompt": Prompt(text="zest"), "post": [Refine(prompt_suffix="<lime>")]}, id="words of both"),
        pytest.param({"image_prompts": FOLLOWED}, id="two IP-Adapters of one folder"),
        pytest.param({"image_prompts": FOLLOWED, "prompt": Prompt(text="zest <lime>")}, id="all of it"),
    ],
)
def test_a_picture_is_sought_by_what_it_would_be_made_with(
    shelves: object, fields: dict[str, object], job: Callable[..., Job], load: Callable[[], Registry], tmp_path: Path
) -> None:
    sought, made = looked_for(job(**fields), load(), tmp_path / "weights.json")

    assert sought == made


@pytest.mark.parametrize(
    ("old", "new", "follows"),
    [
        pytest.param('token = "zest"', 'token = "absent"', False, id="the word is another one"),
        pytest.param('weights = "two.safetensors"', 'weights = "one.safetensors"', True, id="another file"),
        pytest.param('weights = "two', 'roles = { style = "up_blocks" }\nweights = "two', True, id="other layers"),
    ],
)
def test_a_changed_entry_makes_pictures_anew(
    shelves: Callable[[str, str], None],
    old: str,
    new: str,
    follows: bool,
    job: Callable[..., Job],
    load: Callable[[], Registry],
    tmp_path: Path,
) -> None:
    wanted = job(prompt=Prompt(text="a zest mug"), image_prompts=FOLLOWED if follows else [])
    before, _ = looked_for(wanted, load(), tmp_path / "weights.json")
    shelves(old, new)
    after, made = looked_for(wanted, load(), tmp_path / "weights.json")

    assert before != after == made


def test_what_one_folder_holds_is_remembered_by_name(
    shelves: object, job: Callable[..., Job], load: Callable[[], Registry]
) -> None:
    versions = announce.Versions()
    versions.remember_order(
        order_with_stages(job(image_prompts=FOLLOWED, prompt=Prompt(text="zest")), load()), "model+second+first+word"
    )

    assert (versions.find("ip_adapter", "one"), versions.find("ip_adapter", "two")) == ("first", "second")
    assert versions.find("word", "zest") == "word"
