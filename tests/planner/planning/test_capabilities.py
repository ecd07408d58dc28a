"""What the workshop can do, by what processes of this version and of the one before announce."""

import json
from typing import Any

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from agents.planner.planning.capabilities import merge_presences, offers_of
from protocol import codec
from protocol.errors import BadMessage
from protocol.messages import Presence
from protocol.offers import LoraInfo, LoraOffer, kind_of
from tests.protocol.frames import GOLDEN, decoded

FRAME: dict[str, Any] = json.loads((GOLDEN / "presence_with_offers.json").read_bytes())
PRESENCE: Presence = decoded(GOLDEN / "presence_with_offers.json")


def test_the_lists_of_an_earlier_version_mean_the_same_as_offers() -> None:
    earlier = replace(PRESENCE, offers=[])

    assert offers_of(earlier) == PRESENCE.offers
    assert merge_presences([earlier]) == merge_presences([PRESENCE])


def test_offers_are_preferred_to_the_lists() -> None:
    neon = LoraOffer(info=LoraInfo(name="neon", platform="pocket", installed=True))

    assert set(merge_presences([replace(PRESENCE, offers=[neon])]).loras) == {"neon"}


def test_of_several_announcements_the_first_that_says_most_counts() -> None:
    def process(*, installed: bool, trigger: str) -> Presence:
        info = LoraInfo(name="neon", platform="pocket", installed=installed, trigger=trigger)
        return replace(PRESENCE, offers=[LoraOffer(info=info)])

    merged = merge_presences(
        [
            process(installed=False, trigger="absent"),
            process(installed=True, trigger="first"),
            process(installed=True, trigger="second"),
        ]
    )

    assert merged.loras["neon"].trigger == "first"


def test_what_can_be_judged_is_what_every_qa_process_can_judge() -> None:
    def qa(scorers: list[str] | UnsetType) -> Presence:
        return replace(PRESENCE, role="qa", offers=[], scorers=scorers)

    assert merge_presences([PRESENCE]).scorers is None
    assert merge_presences([qa(UNSET)]).scorers is None
    assert merge_presences([qa(["pocket", "*"]), PRESENCE, qa(["pocket"])]).scorers == {"pocket"}
    assert merge_presences([qa([])]).scorers == frozenset()


def test_an_offer_of_a_kind_that_only_a_later_version_knows_is_left_out() -> None:
    later = {"kind": "hologram", "info": {"name": "one", "depth": 3}}
    presence = codec.decode_presence(json.dumps(FRAME | {"offers": [later, *FRAME["offers"]]}).encode())

    assert presence == PRESENCE
    assert {kind_of(offer) for offer in PRESENCE.offers} == {offer["kind"] for offer in FRAME["offers"]}


@pytest.mark.parametrize("offers", [3, [3], [{"kind": "lora"}], [{"info": {}}]])
def test_a_malformed_offer_is_refused(offers: object) -> None:
    with pytest.raises(BadMessage):
        codec.decode_presence(json.dumps(FRAME | {"offers": offers}).encode())
