"""Which platform a file is for, by the marks of every family: names and widths of its layers, and what it says of its
base model. Pure module."""

from collections.abc import Iterable, Mapping

from agents.generator.architectures import ARCHITECTURES
from agents.generator.architectures.file_marks import Layers, Lookalike
from agents.generator.files.safetensors_header import Tensor


class UnsupportedFamily(ValueError):
    """The file is for models that are not supported, though it looks like one for a family that is."""

    HINT = f"choose one for {', '.join(family.files.platform for family in ARCHITECTURES.values())}"

    def __init__(self, family: str) -> None:
        super().__init__(f"it is for {family}, which is not supported yet")


def weight_layers(tensors: Mapping[str, Tensor]) -> Layers:
    """The layers whose weights are in a file."""
    return {
        name.removesuffix(".weight"): (tensor.shape[1], tensor.shape[0])
        for name, tensor in tensors.items()
        if name.endswith(".weight") and len(tensor.shape) == 2
    }


def check_supported(layers: Layers, base_models: Iterable[str] = ()) -> None:
    """Refuse what looks like a file for a family and is not one.

    Raises:
        UnsupportedFamily: its layers, or what it says of its base model, are those of other models.
    """
    names = [name.lower() for name in base_models]
    for other in _lookalikes():
        named = any(name.startswith(other.base_models) for name in names)
        if named or any(mark.is_in(layers) for mark in other.layers):
            raise UnsupportedFamily(other.name)


def check_supported_class(name: str) -> None:
    """Refuse a class of diffusers that belongs to models which only look like a family's.

    Raises:
        UnsupportedFamily: it does.
    """
    for other in _lookalikes():
        if name.startswith(other.class_prefix):
            raise UnsupportedFamily(other.name)


def platform_of_layers(layers: Layers) -> str | None:
    """The platform that has such layers alone, or null."""
    marked = (family.files for family in ARCHITECTURES.values())
    return next((files.platform for files in marked if any(mark.is_in(layers) for mark in files.layers)), None)


def platform_of_text_width(width: int) -> str | None:
    """The platform whose UNet alone reads text of that width, or null."""
    return next((family.files.platform for family in ARCHITECTURES.values() if family.files.text_width == width), None)


def platform_of_encoder_widths(widths: tuple[int, ...]) -> str | None:
    """The platform whose text encoders are that wide, ascending, or null."""
    return next(
        (family.files.platform for family in ARCHITECTURES.values() if family.files.encoder_widths == widths), None
    )


def platform_of_base_model(name: str) -> str | None:
    """The platform that a foreign name of a base model means, such as `SDXL 1.0`, or null."""
    lower = name.lower()
    if any(lower.startswith(other.base_models) for other in _lookalikes()):
        return None
    known = {start: said for family in ARCHITECTURES.values() for start, said in family.files.base_models.items()}
    return known.get(max((start for start in known if lower.startswith(start)), key=len, default=""))


def _lookalikes() -> Iterable[Lookalike]:
    return (other for family in ARCHITECTURES.values() for other in family.files.lookalikes)
