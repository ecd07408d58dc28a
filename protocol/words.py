"""Words that text encoders were taught (textual inversion): which of them the prompts of a job have. Pure module."""

from collections.abc import Mapping

from msgspec.structs import replace

from protocol.messages import Job
from protocol.post import Refine


def words_of(job: Job, tokens: Mapping[str, str]) -> list[str]:
    """Names of the words, sorted, that stand in the prompts of a job; `tokens` is how prompts write each, by its name.
    Tokenizers look at no word's case."""
    texts = (job.prompt.text, job.prompt.negative, *(region.prompt for region in job.regions))
    said = " ".join(texts).casefold()
    return sorted(name for name, token in tokens.items() if token.casefold() in said)


def refined(job: Job, step: Refine) -> Job:
    """The job with the prompts that a refinement of its picture follows: a tile shows a part of the regions, and which
    is not for its prompt to say."""
    suffix = f", {step.prompt_suffix}" if step.prompt_suffix else ""
    return replace(
        job,
        prompt=replace(job.prompt, text=f"{job.prompt.text}{suffix}"),
        regions=[replace(one, prompt=f"{one.prompt}{suffix}") for one in job.regions] if step.tile is None else [],
    )
