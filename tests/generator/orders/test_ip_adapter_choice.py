"""Image prompts of a job: which IP-Adapter follows which pictures, what is announced, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.generator.announce import Speeds, Versions, announce
from agents.generator.orders.ip_adapter_choice import MAX_IMAGE_PROMPTS
from agents.generator.orders.order import order_of
from agents.generator.registry.registry import Registry, RegistryError
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.offers import IpAdapterInfo, ModelInfo, infos_of
from protocol.parameters import ReferenceRole
from protocol.sources import ImagePrompt, adapters_of

Jobs = Callable[..., Job]
Load = Callable[[], Registry]

MINE = """
[ip_adapters.mine]
platform = "stable_diffusion_1_5"
weights = "mine.safetensors"
roles = { style = "up_blocks.0", subject = "" }
"""


@pytest.fixture
def folder(home: Path) -> Path:
    """Where an IP-Adapter of a person's own would lie that their registry file names."""
    with (home / "models.toml").open("a", encoding="utf-8") as file:
        file.write(MINE)
    return home / "ip_adapters" / "mine"


def put(folder: Path) -> None:
    (folder / "image_encoder").mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(b"")
    (folder / "image_encoder" / "config.json").write_text("{}")


def prompt(number: int, role: ReferenceRole = "subject", weight: float = 0.6, adapter: str = "mine") -> ImagePrompt:
    return ImagePrompt(blob=f"{number:064d}", role=role, adapter=adapter, weight=weight)


def test_pictures_of_one_role_and_weight_are_looked_at_together(folder: Path, job: Jobs, load: Load) -> None:
    put(folder)
    wanted = job(image_prompts=[prompt(1), prompt(2, "style"), prompt(3), prompt(4, weight=0.9)])
    found = order_of(wanted, load()).ip_adapters

    assert [(one.layers, one.weight, one.prompt_positions) for one in found] == [
        ("", 0.6, (0, 2)),
        ("up_blocks.0", 0.6, (1,)),
        ("", 0.9, (3,)),
    ]
    assert {(one.file, one.encoder) for one in found} == {(folder / "mine.safetensors", folder / "image_encoder")}
    assert adapters_of(wanted.pixels.image_prompts) == ["mine"]


def test_a_model_follows_pictures_once_an_adapter_of_its_platform_is_here(folder: Path, load: Load) -> None:
    def announced_models() -> list[ModelInfo]:
        return infos_of(announce(load(), Versions(), Speeds()), ModelInfo)

    def followed() -> set[str]:
        return {model.platform for model in announced_models() if model.references}

    assert followed() == {"pocket"}
    put(folder)
    assert followed() == {"pocket", "stable_diffusion_1_5"}
    assert {model.references for model in announced_models()} == {0, MAX_IMAGE_PROMPTS}
    announced = {one.name: one for one in infos_of(announce(load(), Versions(), Speeds()), IpAdapterInfo)}
    assert (announced["mine"].installed, announced["mine"].roles) == (True, ["style", "subject"])
    assert announced["ip_adapter_sdxl"].install == ("bottega models pull ip_adapter_sdxl, then restart the generator")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        (prompt(1, adapter="mime"), "did you mean mine?"),
        (prompt(1, "composition"), "leave the picture out"),
        (prompt(1, adapter="ip_adapter_sdxl"), "did you mean ip_adapter_sd15?"),
        (prompt(1), "mine.safetensors and image_encoder"),
    ],
    ids=["not known", "another role", "another platform", "not here"],
)
def test_what_is_not_followed_is_refused_with_what_to_do(
    folder: Path, job: Jobs, load: Load, wanted: ImagePrompt, hint: str
) -> None:
    with pytest.raises(AcpError) as refused:
        order_of(job(image_prompts=[wanted]), load())

    assert (refused.value.code, refused.value.body.path) == ("not_installed", "$.job.pixels.image_prompts[0].adapter")
    assert hint in (refused.value.body.hint or "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("platform", '"flux_1_dev"'), ("weights", '"../elsewhere.safetensors"'), ("roles", "{ mood = '' }")],
)
def test_an_entry_that_could_not_be_followed_stops_the_registry(field: str, value: str, home: Path, load: Load) -> None:
    fields = {"platform": '"stable_diffusion_xl"'} | {field: value}
    lines = "\n".join(f"{name} = {text}" for name, text in fields.items())
    (home / "models.toml").write_text(f"[ip_adapters.mine]\n{lines}\n", encoding="utf-8")

    with pytest.raises(RegistryError, match=rf"ip_adapters\.mine\.{field}"):
        load()
