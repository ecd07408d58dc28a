"""Samplers by the names that people and other programs have for them. Pure module."""

from agents.planner.planning.capabilities import Capabilities
from protocol.commands import GenerateImages
from protocol.errors import BadCommand
from protocol.nearest import nearest
from protocol.offers import ModelInfo


def find_sampler(name: str, workshop: Capabilities) -> str | None:
    """The sampler of a name or of another program's name for it, whatever its case and punctuation; null where there is
    none."""
    wanted = _key(name)
    for known in workshop.samplers:
        if _key(known) == wanted:
            return known
    return next((known for alias, known in workshop.sampler_aliases.items() if _key(alias) == wanted), None)


def sampler_of(command: GenerateImages, model: ModelInfo, workshop: Capabilities) -> str:
    """The sampler that a command asks for, or the model's own.

    Raises:
        BadCommand: nobody here knows it.
    """
    if command.sampler is None:
        return model.sampler
    if (found := find_sampler(command.sampler, workshop)) is not None:
        return found
    raise BadCommand(
        "invalid_value",
        f"the sampler {command.sampler!r} is not known",
        path="$.sampler",
        hint=nearest(command.sampler, workshop.samplers),
    )


def _key(name: str) -> str:
    """`DPM++ 2M Karras` is `dpmpp_2m_karras`."""
    return "".join(character for character in name.lower().replace("++", "pp") if character.isalnum())
