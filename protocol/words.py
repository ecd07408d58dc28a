"""Words that text encoders were taught (textual inversion): which of them the prompts of a job have. Pure module."""

from collections.abc import Mapping

from msgspec.structs import replace

from protocol.pixels import PixelSpec
from protocol.post import Refine


def words_of(pixels: PixelSpec, tokens: Mapping[str, str]) -> list[str]:
    """Names of the words, sorted, that stand in the prompts of a picture; `tokens` is how prompts write each, by its
    name. Tokenizers look at no word's case."""
    texts = (pixels.prompt, pixels.negative_prompt, *(region.prompt for region in pixels.regions))
    said = " ".join(texts).casefold()
    return sorted(name for name, token in tokens.items() if token.casefold() in said)


def refined_spec(pixels: PixelSpec, step: Refine) -> PixelSpec:
    """The picture with the prompts that a refinement of it follows: a tile shows a part of the regions, and which
    is not for its prompt to say."""
    suffix = f", {step.prompt_suffix}" if step.prompt_suffix else ""
    return replace(
        pixels,
        prompt=f"{pixels.prompt}{suffix}",
        regions=[replace(one, prompt=f"{one.prompt}{suffix}") for one in pixels.regions] if step.tile is None else [],
    )
