"""Every kind of weights has one shape: its row, its offer, and one refusal that says how to get what is missing."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from agents.generator.announce import Speeds, Versions, announce, offers_beside_lists
from agents.generator.registry.kinds import KINDS, WeightsKind
from agents.generator.registry.registry import Registry, load
from agents.generator.registry.weights import installed_weights
from protocol.codec import MAX_MESSAGE_BYTES
from protocol.errors import Refused
from protocol.offers import OFFER_KINDS, LoraInfo, LoraOffer, kind_of

ENTRIES = """
[models.mine]
platform = "stable_diffusion_1_5"
[loras.mine]
platform = "stable_diffusion_1_5"
[embeddings.mine]
platform = "stable_diffusion_1_5"
token = "mine"
[controls.mine]
platform = "stable_diffusion_1_5"
kind = "canny"
[ip_adapters.mine]
platform = "stable_diffusion_1_5"
[motions.mine]
platform = "stable_diffusion_1_5"
[tools.mine]
kind = "upscaler"
scale = 2
"""

FILES: dict[WeightsKind, tuple[str, ...]] = {
    "model": ("models/mine/model_index.json",),
    "lora": ("loras/mine.safetensors",),
    "word": ("embeddings/mine.safetensors",),
    "control": ("controls/mine/config.json",),
    "ip_adapter": ("ip_adapters/mine/ip_adapter.safetensors", "ip_adapters/mine/image_encoder/config.json"),
    "motion": ("motions/mine/config.json",),
    "tool": ("tools/mine.safetensors",),
}
"""Kind -> the files that make an entry installed."""

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "models.toml").write_text(ENTRIES)
    return tmp_path


def read(home: Path) -> Registry:
    return load(home / "models", home / "loras", home / "models.toml")


def test_the_rows_the_versions_and_the_offers_name_the_same_kinds() -> None:
    assert set(KINDS) == set(get_args(WeightsKind)) == OFFER_KINDS == set(FILES)


@every_kind
def test_an_entry_is_installed_once_all_its_files_are_there(home: Path, kind: WeightsKind) -> None:
    for name in FILES[kind]:
        assert "mine" not in read(home).kinds[kind].installed
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"")
    known = read(home)
    entry, path = known.kinds[kind].require("mine", "$.there")

    assert (entry.name, path) == ("mine", home / Path(*Path(FILES[kind][0]).parts[:2]))
    assert (kind, path) in {(one.kind, one.path) for one in installed_weights(known)}


@every_kind
def test_what_is_not_here_is_refused_with_how_to_get_it_as_it_is_announced(home: Path, kind: WeightsKind) -> None:
    known = read(home)
    announced = announce(known, Versions(), Speeds())
    info = next(offer.info for offer in announced if kind_of(offer) == kind and offer.info.name == "mine")
    with pytest.raises(Refused) as refused:
        known.kinds[kind].require("mine", "$.there")

    assert (info.installed, info.install) == (False, refused.value.body.hint)
    assert (refused.value.code, refused.value.body.path) == ("not_installed", "$.there")
    assert refused.value.body.message == f"the {KINDS[kind].noun} mine is not on this machine"


@every_kind
def test_an_unknown_name_is_refused_with_the_nearest_one(home: Path, kind: WeightsKind) -> None:
    with pytest.raises(Refused) as refused:
        read(home).kinds[kind].require("minee", "$.there")

    assert refused.value.body.message == f"the {KINDS[kind].noun} 'minee' is not known"
    assert (refused.value.body.hint or "").startswith("did you mean mine?")


def test_offers_are_repeated_beside_the_lists_only_while_both_fit_in_a_message() -> None:
    lora = LoraOffer(info=LoraInfo(name="l" * 64, platform="pocket", installed=True, trigger="t" * 900))
    few = [lora] * 3
    many = [lora] * (MAX_MESSAGE_BYTES // 1500)

    assert len(msgspec.json.encode(many)) < MAX_MESSAGE_BYTES < 2 * len(msgspec.json.encode(many))
    assert offers_beside_lists(list(few)) == few
    assert offers_beside_lists(list(many)) == []
