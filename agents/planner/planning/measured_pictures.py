"""The time of a picture of each model, where no process that runs has measured one: from pictures of earlier. Pure
module."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from agents.shared.device_time import seconds_at_defaults
from protocol.offers import ModelInfo
from protocol.pixels import PixelSpec


class MeasuredPicture(NamedTuple):
    """A picture and the seconds that it took of its device, in all and by stage."""

    pixels: PixelSpec
    seconds: float
    stages: dict[str, float]


def with_earlier_seconds(
    models: Mapping[str, ModelInfo], announced: Mapping[str, float], pictures: Mapping[str, Sequence[MeasuredPicture]]
) -> dict[str, ModelInfo]:
    """The models, those without a measurement with the seconds that were `announced` last, else with the median of
    their earlier `pictures`. Both are by the name of the model."""
    return {
        name: model
        if model.seconds_per_image is not None
        else replace(model, seconds_per_image=announced.get(name) or _median_seconds(model, pictures.get(name, ())))
        for name, model in models.items()
    }


def _median_seconds(model: ModelInfo, pictures: Sequence[MeasuredPicture]) -> float | None:
    scaled = [seconds_at_defaults(model, one.pixels, one.seconds, one.stages) for one in pictures]
    known = [seconds for seconds in scaled if seconds is not None]
    return statistics.median(known) if known else None
