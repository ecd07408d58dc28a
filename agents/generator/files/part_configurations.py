"""Whether the parts of a diffusers folder go together, by their configurations: what would only show in the first call
of a model, or in none. Pure module."""

from collections.abc import Callable, Iterator, Mapping

Read = Callable[[str], Mapping[str, object] | None]
"""The content of a JSON file by its path in the folder, or null where there is none."""

_CONFIG_FILES = {
    "scheduler": "scheduler_config.json",
    "unet": "config.json",
    "transformer": "config.json",
    "vae": "config.json",
    "movq": "config.json",
    "text_encoder": "config.json",
    "text_encoder_2": "config.json",
    "text_encoder_3": "config.json",
}
_ENDS = ("", "_2", "_3")


def find_fault(index: Mapping[str, object], read: Read) -> str | None:
    """What is wrong with a folder whose `model_index.json` says `index`; null where nothing is seen."""
    return next(_faults(index, read), None)


def _faults(index: Mapping[str, object], read: Read) -> Iterator[str]:
    if not _is_named(index, "scheduler"):
        yield "model_index.json names no scheduler"
    for part, file in _CONFIG_FILES.items():
        if _is_named(index, part) and read(f"{part}/{file}") is None:
            yield f"it has no readable {part}/{file}"
    configs = {part: read(f"{part}/{file}") or {} for part, file in _CONFIG_FILES.items() if _is_named(index, part)}
    for end in _ENDS:
        if _is_named(index, f"tokenizer{end}"):
            yield from _tokenizer_faults(end, configs.get(f"text_encoder{end}", {}), read)
    yield from _width_faults(configs)
    yield from _channel_faults(configs)


def _channel_faults(configs: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    reads = configs.get("unet", {}).get("in_channels")
    latents = configs.get("vae", {}).get("latent_channels")
    if not isinstance(reads, int) or not isinstance(latents, int) or reads == latents:
        return
    # A mask and the picture beside it, or a picture alone.
    kinds = {2 * latents + 1: "an inpainting model: ", 2 * latents: "an editing model: "}
    yield f"{kinds.get(reads, '')}unet/config.json says in_channels {reads}, and pictures of its vae have {latents}"


def _is_named(index: Mapping[str, object], part: str) -> bool:
    """Whether an index names a class for a part."""
    said = index.get(part)
    return isinstance(said, list) and len(said) == 2 and None not in said  # pyright: ignore[reportUnknownArgumentType] - a stranger's JSON


def _tokenizer_faults(end: str, encoder: Mapping[str, object], read: Read) -> Iterator[str]:
    positions = encoder.get("max_position_embeddings")
    said = read(f"tokenizer{end}/tokenizer_config.json")
    if said is None or not isinstance(positions, int):
        return
    length = said.get("model_max_length")
    if not isinstance(length, int | float) or length > positions:
        told = _number_in_words(length) if isinstance(length, int | float) else "nothing"
        yield (
            f"tokenizer{end}/tokenizer_config.json says model_max_length {told}, and text_encoder{end} reads"
            f" {positions} tokens: set it to {positions}"
        )


def _number_in_words(number: float) -> str:
    """`77` or `1e+30`; an integer of JSON may be larger than any float."""
    try:
        return f"{number:g}"
    except OverflowError:
        return "a number beyond all floats"


def _width_faults(configs: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    denoiser = configs.get("unet") or configs.get("transformer") or {}
    name = "unet" if "unet" in configs else "transformer"
    for key, encoders, width in _readers(configs):
        reads = denoiser.get(key)
        if isinstance(reads, int) and width and reads != width:
            yield f"{name}/config.json says {key} {reads}, and {' and '.join(encoders)} give {width}"


def _readers(configs: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, list[str], int]]:
    """What of a denoiser reads text: its key, the encoders that it reads, and the width that those give together; 0
    where that is not told."""
    encoders = [f"text_encoder{end}" for end in _ENDS if f"text_encoder{end}" in configs]
    clips = [one for one in encoders if "max_position_embeddings" in configs[one]]
    others = [one for one in encoders if one not in clips]
    unet = configs.get("unet")
    if unet is not None and not unet.get("encoder_hid_dim"):
        yield "cross_attention_dim", encoders, _sum(configs, encoders, "hidden_size")
    if unet is not None and unet.get("addition_embed_type") == "text_time" and clips:
        numbers = unet.get("addition_time_embed_dim")
        pooled = _sum(configs, clips[-1:], "projection_dim")
        if isinstance(numbers, int) and pooled:
            yield "projection_class_embeddings_input_dim", clips[-1:], 6 * numbers + pooled
    if "transformer" in configs and others:
        yield "joint_attention_dim", others, _sum(configs, others, "d_model")


def _sum(configs: Mapping[str, Mapping[str, object]], encoders: list[str], key: str) -> int:
    """The sum of a number in the configurations of encoders; 0 where one does not tell it."""
    widths = [configs[one].get(key) for one in encoders]
    told = [width for width in widths if isinstance(width, int)]
    return sum(told) if len(told) == len(widths) else 0
