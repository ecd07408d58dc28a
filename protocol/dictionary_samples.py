"""Messages as agents send them, drawn from the types and a seed: what the dictionary of `protocol.dictionary` is
trained on. Pure module.

Every message goes through its struct, so names, order and defaults of fields are those of the types. What a field holds
is drawn by its name where the name is in `_VALUES`, else by its type; a field with a default mostly keeps it.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from protocol.ids import MAX_SEED, image_id
from protocol.messages import GenerateImage, ScoreImage, StoreImage, WritePrompts

KEPT = 0.9
KEPT_USUAL = 0.25
"""Probability that a field keeps its default, of most and of those of `_USUAL`."""

_OFTEN: tuple[type[msgspec.Struct], ...] = (GenerateImage, ScoreImage, StoreImage, WritePrompts)
OFTEN = 8
"""Times that one of `_OFTEN` is drawn for each one of another type."""

_USUAL = frozenset(
    {
        "assessment", "bucket", "count", "created_at", "embedding", "engine", "kind", "measures",
        "media_type", "min_score", "model_version", "models", "negative", "negative_prompt", "prompt_origin", "seconds",
        "signature", "stages", "style", "subject", "template", "text", "versions",
    }
)  # fmt: skip
"""Fields whose default is not the rule on the wire."""

_SUBJECTS = (
    "a ceramic vase", "an old lighthouse", "two dancers", "a glass of tea", "a mountain village", "a grey cat",
    "a sailing boat", "a market stall with fruit", "a child with a kite", "a pair of running shoes", "a wooden table",
    "a city at night", "a fox in the snow", "an open book", "a violin", "a street musician", "a bowl of noodles",
)  # fmt: skip
_WORDS = (
    "on a white background", "soft light", "golden hour", "in the rain", "wide angle", "close-up", "sharp focus",
    "shallow depth of field", "high detail", "centred composition", "film grain", "pastel palette", "studio light",
    "from above", "front view", "muted colours", "natural light", "at dusk", "35 mm lens", "professional photography",
)  # fmt: skip
_NEGATIVES = ("", "text, watermark", "text, watermark, logo, blurry", "low quality, blurry, extra limbs, deformed")
_PLATFORMS = ("pocket", "stable_diffusion_xl", "stable_diffusion_1_5", "stable_diffusion_3_5", "flux", "openai")
_MEASURES = (
    "spread", "entropy", "sharpness", "noise", "brightness", "clipped_shadows", "clipped_highlights",
    "posterisation", "adherence",
)  # fmt: skip
_CLIENTS = ("local", "studio", "shop_front", "press-office")
_STYLES = ("plain", "cinematic", "product_photography", "watercolour", "editorial")


@dataclass(frozen=True)
class _Draw:
    """What the messages of one picture have in common, and the source of all that is drawn."""

    rng: random.Random
    batch: str
    client: str
    index: int
    platform: str
    model: str

    def hexadecimal(self, length: int = 64) -> str:
        return self.rng.randbytes(length // 2).hex()

    def text(self) -> str:
        return ", ".join([self.rng.choice(_SUBJECTS), *self.rng.sample(_WORDS, self.rng.randint(1, 5))])

    def share(self) -> float:
        return round(self.rng.random(), 4)

    def seconds(self) -> float:
        return self.rng.random() * 10 ** self.rng.randint(-5, 1)


def _fixed(*values: Any) -> Callable[[_Draw], Any]:
    return lambda draw: draw.rng.choice(values)


_VALUES: dict[str, Callable[[_Draw], Any]] = {
    "accepted": _fixed(True, True, True, False),
    "adapter": _fixed("ip_adapter_sdxl", "ip_adapter_sd15", None),
    "attempt": _fixed(1, 1, 1, 2),
    "bucket": _fixed(1, 2, 4, 8, 16),
    "client_id": lambda draw: draw.client,
    "count": _fixed(1, 10, 100),
    "created_at": lambda draw: (
        f"20{draw.rng.randint(24, 34)}-{draw.rng.randint(1, 12):02}-{draw.rng.randint(1, 28):02}"
        f"T{draw.rng.randint(0, 23):02}:{draw.rng.randint(0, 59):02}:{draw.rng.randint(0, 59):02}+00:00"
    ),
    "decode": _fixed(1, 2, 4),
    "denoise": lambda draw: [[draw.rng.randint(1, 16), draw.rng.randint(1, 20)] for _ in range(draw.rng.randint(1, 8))],
    "device": _fixed("cpu", "cuda:0", "mps"),
    "disposition": _fixed("accepted", "accepted", "accepted", "kept"),
    "embedding": lambda draw: draw.rng.randbytes(draw.rng.choice((384, 1024))),
    "engine": _fixed("steps", "steps", "pipeline"),
    "gpu_util": lambda draw: draw.share(),
    "guidance": _fixed(0.0, 3.0, 5.0, 7.0, 7.5),
    "hash": lambda draw: draw.batch,
    "height": _fixed(128, 512, 768, 1024, 1024, 1152, 1280),
    "image_id": lambda draw: image_id(draw.batch, draw.index),
    "index": lambda draw: draw.index,
    "measures": lambda draw: {name: draw.share() for name in _MEASURES},
    "media_type": lambda _: "image/png",
    "metadata": lambda draw: {"customer": draw.hexadecimal(8), "order": draw.rng.randrange(10**6)},
    "mfu": lambda draw: draw.share(),
    "min_score": _fixed(0.5, 0.5, 0.7, 0.85),
    "model": lambda draw: draw.model,
    "model_version": lambda draw: draw.hexadecimal(12),
    "models": lambda draw: [draw.model],
    "name": _fixed("add_detail", "film_look"),
    "negative": _fixed(*_NEGATIVES),
    "negative_prompt": _fixed(*_NEGATIVES),
    "peak_memory": lambda draw: draw.rng.randrange(10**9, 10**11),
    "platform": lambda draw: draw.platform,
    "prompt": lambda draw: draw.text(),
    "provider": _fixed("local", "local", "openai"),
    "reasons": lambda draw: draw.rng.sample(("sharpness below 0.2", "adherence below 0.5", "noise above 0.1"), 1),
    "sampler": _fixed("DPM++ 2M Karras", "Euler", "Euler a", "DDIM", "UniPC", "LCM", "flow Euler"),
    "score": lambda draw: draw.share(),
    "seconds": lambda draw: draw.seconds(),
    "section": _fixed("cover", "gallery"),
    "seed": lambda draw: draw.rng.randrange(draw.rng.choice((2**31, MAX_SEED))),
    "signature": lambda draw: draw.rng.randbytes(32),
    "size_bytes": lambda draw: draw.rng.randrange(10**4, 4 * 10**6),
    "stages": lambda draw: {name: draw.seconds() for name in ("load", "encode", "denoise", "decode", "compress")},
    "steps": _fixed(4, 20, 20, 25, 28, 30, 50),
    "strength": lambda draw: draw.share(),
    "style": _fixed(*_STYLES),
    "subject": lambda draw: draw.rng.choice(_SUBJECTS),
    "template": _fixed(*_STYLES),
    "template_version": _fixed("1", "1", "2"),
    "text": lambda draw: draw.text(),
    "versions": lambda draw: {
        "torch": f"2.{draw.rng.randint(8, 20)}.0+{draw.rng.choice(('cpu', 'cu130'))}",
        "diffusers": f"0.{draw.rng.randint(36, 48)}.{draw.rng.randint(0, 3)}",
        "threads": str(draw.rng.randint(1, 32)),
    },
    "weight": lambda draw: round(draw.rng.random(), 2),
    "width": _fixed(128, 512, 768, 1024, 1024, 1152, 1280),
}
"""Name of a field -> what it holds, where its type allows that."""


def messages(kinds: Sequence[type[msgspec.Struct]], count: int, seed: int) -> Iterator[msgspec.Struct]:
    """`count` messages of `kinds`; the same seed gives the same ones."""
    rng = random.Random(seed)
    weighted = [kind for kind in kinds for _ in range(OFTEN if kind in _OFTEN else 1)]
    for _ in range(count):
        platform = rng.choice(_PLATFORMS)
        draw = _Draw(
            rng=rng,
            batch=f"gen_batch_{rng.randbytes(10).hex()}",
            client=rng.choice(_CLIENTS),
            index=rng.randrange(rng.choice((10, 1000, 10**6))),
            platform=platform,
            model=rng.choice((platform, f"{platform}_base", f"{platform}_turbo")),
        )
        kind = rng.choice(weighted)
        yield msgspec.convert(_message(draw, kind), type=kind)


def _message(draw: _Draw, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A message as a JSON object."""
    config = kind.__struct_config__
    drawn: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field else {}
    for field, described in _fields(kind):
        if field.required or draw.rng.random() >= (KEPT_USUAL if field.name in _USUAL else KEPT):
            drawn[field.encode_name] = _value(draw, field, described)
    return drawn


@cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[msgspec.structs.FieldInfo, inspect.Type]]:
    return [(field, inspect.type_info(field.type)) for field in msgspec.structs.fields(kind)]


def _value(draw: _Draw, field: msgspec.structs.FieldInfo, described: inspect.Type) -> Any:
    """By the field's name, as far as its type allows it; else by its type."""
    if field.name in _VALUES:
        value = msgspec.to_builtins(_VALUES[field.name](draw))
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(value, type=field.type)
            return value
    return _of_type(draw, described)


def _of_type(draw: _Draw, kind: inspect.Type) -> Any:
    rng = draw.rng
    match kind:
        case inspect.Metadata(type=inner):
            return _of_type(draw, inner)
        case inspect.StructType(cls=struct):
            return _message(draw, struct)
        case inspect.UnionType(types=kinds):
            return _of_type(draw, rng.choice([one for one in kinds if not isinstance(one, inspect.NoneType)]))
        case inspect.LiteralType(values=values):
            return rng.choice(values)
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return [_of_type(draw, item) for _ in range(rng.randint(least or 1, min(most or 3, max(least or 1, 3))))]
        case inspect.TupleType(item_types=items):
            return [_of_type(draw, item) for item in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_of_type(draw, key): _of_type(draw, value)}
        case inspect.StrType(pattern=pattern):
            return draw.hexadecimal() if "0-9a-f" in (pattern or "") else rng.choice(_WORDS).replace(" ", "-")
        case _:
            return _plain(rng, kind)


def _plain(rng: random.Random, kind: inspect.Type) -> Any:
    match kind:
        case inspect.IntType(ge=least, le=most):
            return rng.randint(max(least or 0, 0), min(most or 1000, 1000))
        case inspect.FloatType(ge=least, gt=above, le=most):
            low = least or above or 0.0
            return round(rng.uniform(low, min(most or 1.0, low + 1.0)), 2) or 0.5
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.BytesType():
            return msgspec.to_builtins(rng.randbytes(32))
        case _:
            raise TypeError(f"no samples are drawn of {kind}")
