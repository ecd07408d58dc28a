"""How a picture was made, as it is written into the picture and beside it. Pure module."""

from collections.abc import Mapping
from importlib.metadata import version
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from xml.sax.saxutils import escape

import msgspec
from msgspec import Struct

from agents.storage.png import XMP_KEYWORD
from protocol.catalogue import Catalogued
from protocol.commands import Scalar
from protocol.messages import StoreImage
from protocol.parameters import EngineKind, Filing
from protocol.pixels import UNBUILT_SETTINGS, PixelSpec
from protocol.plans import Size

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for a picture that a trained model made (https://cv.iptc.org/newscodes/digitalsourcetype)."""


class Record(Struct, frozen=True, kw_only=True):
    """Everything needed to make the picture again, and what was measured. Sizes are pixels, `seconds` of generation.

    `pixels` is what decided them, with the buckets that the picture was made in; `width` and `height` are those after
    the steps of `post`. `reused` is the picture whose pixels were returned, by its id, where none was made;
    `size_bytes` those of the blob.
    """

    image_id: str
    batch: str
    client: str
    index: int
    attempt: int
    disposition: Filing
    pixels: PixelSpec
    subject: str = ""
    template: str = "plain"
    template_version: str = "1"
    style: str | None = None
    style_reference: str | None = None
    section: str | None = None
    width: int
    height: int
    platform: str
    model_version: str | None = None
    models: list[str] = []
    stand_in_for: str | None = None
    provider: str = "local"
    device: str = "cpu"
    bucket: int = 1
    engine: EngineKind | None = None
    versions: dict[str, str] = {}
    revised_prompt: str | None = None
    seconds: float | None = None
    cost_micros: int | None = None
    score: float | None = None
    measures: dict[str, float | None] = {}
    reasons: list[str] = []
    not_judged: list[str] = []
    colour: str | None = None
    created_at: str = ""
    blob: str
    size_bytes: int | None = None
    reused: str | None = None
    metadata: dict[str, Scalar] = {}
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None
    name_template: str | None = None
    software: str = f"bottega {version('bottega')}"


_OWN_FIELDS: Mapping[str, Any] = {
    field.name: field.type for field in msgspec.structs.fields(Record) if field.name != "pixels"
}
_PIXEL_FIELDS: Mapping[str, Any] = {field.name: field.type for field in msgspec.structs.fields(PixelSpec)}


PROMPT_KEYWORD = "bottega_prompt"
"""Keyword of the prompt's text in a PNG file: ComfyUI takes what stands under `prompt` for a graph of its nodes."""

_SILENT_FIELDS = ("strict", "prompt_syntax", *UNBUILT_SETTINGS)
"""Fields that files have only where they say something."""


def record_of(message: StoreImage, colour: str | None) -> Record:
    """The record of a picture that is to be stored; `colour` names its dominant colour, null if nobody looked."""
    job, picture, assessment = message.job, message.picture, message.assessment
    return Record(
        image_id=job.image_id,
        batch=job.hash,
        client=job.client_id,
        index=job.index,
        attempt=job.attempt,
        disposition=message.disposition,
        pixels=msgspec.structs.replace(job.pixels, model=picture.model, buckets=picture.buckets),
        subject=job.prompt_origin.subject,
        template=job.prompt_origin.template,
        template_version=job.prompt_origin.template_version,
        style=job.style,
        style_reference=job.prompt_origin.style_reference,
        section=job.section,
        width=picture.width,
        height=picture.height,
        platform=job.platform,
        model_version=picture.model_version,
        models=job.models,
        stand_in_for=job.stand_in_for,
        provider=picture.provider,
        device=picture.device,
        bucket=picture.bucket,
        engine=picture.engine,
        versions=picture.versions,
        revised_prompt=picture.revised_prompt,
        seconds=picture.seconds,
        cost_micros=picture.cost_micros,
        score=assessment.score,
        measures=assessment.measures,
        reasons=assessment.reasons,
        not_judged=assessment.not_judged or [],
        colour=colour,
        created_at=job.created_at,
        blob=picture.blob,
        size_bytes=picture.size_bytes,
        reused=message.reused,
        metadata=job.metadata,
        swept=job.swept,
        catalogued=job.catalogued,
        name_template=job.name_template,
    )


def flat_fields(record: Record) -> dict[str, Any]:
    """The record as files and the catalogue have it: all fields on one level, sizes those of the finished picture, and
    under `generated` the size before the steps of `post`, null where it has none and the size is the same."""
    pixels, own = msgspec.structs.asdict(record.pixels), msgspec.structs.asdict(record)
    del own["pixels"]
    for name in _SILENT_FIELDS:
        if not pixels[name]:
            del pixels[name]
    if not own["not_judged"]:
        del own["not_judged"]
    size = Size(width=record.pixels.width, height=record.pixels.height)
    differs = bool(record.pixels.post) or (size.width, size.height) != (record.width, record.height)
    return pixels | own | {"generated": size if differs else None}


def record_of_fields(fields: Mapping[str, Any]) -> Record:
    """The record of `flat_fields`, as far as they are there, decoded from JSON.

    Raises:
        msgspec.ValidationError: a field is missing or wrong.
    """
    own = {name: fields[name] for name in _OWN_FIELDS if name in fields}
    pixels: dict[str, Any] = {name: fields[name] for name in _PIXEL_FIELDS if name in fields}
    pixels |= fields.get("generated") or {}
    return msgspec.convert({**own, "pixels": pixels}, Record)


def texts_of(record: Record) -> dict[str, str]:
    """The texts of the PNG file by keyword: first what other tools read, then each field that has a value under its own
    name, but the prompt under `PROMPT_KEYWORD`; as it is where it is text and as JSON where it is not."""
    own = {
        PROMPT_KEYWORD if name == "prompt" else name: _text_of(value)
        for name, value in flat_fields(record).items()
        if value not in (None, "", [], {})
    }
    common = {"parameters": parameters_of(record), "Software": record.software, XMP_KEYWORD: xmp_of(record)}
    return common | own


def record_of_texts(texts: dict[str, str]) -> Record:
    """The record in the texts of a PNG file. Version 0.1.0 wrote the prompt under `prompt`.

    Raises:
        msgspec.MsgspecError: the texts are not of this program or were changed by another.
    """
    if PROMPT_KEYWORD in texts:
        texts = texts | {"prompt": texts[PROMPT_KEYWORD]}
    kinds = {**_PIXEL_FIELDS, **_OWN_FIELDS, "generated": Size}
    return record_of_fields({name: _value_of(texts[name], kind) for name, kind in kinds.items() if name in texts})


def sidecar_of(record: Record) -> bytes:
    """The record as a JSON file."""
    return msgspec.json.format(msgspec.json.encode(flat_fields(record)), indent=2) + b"\n"


def parameters_of(record: Record) -> str:
    """The text that AUTOMATIC1111's web UI writes under `parameters` and many tools read.

    Source: modules/processing.py `create_infotext` of AUTOMATIC1111/stable-diffusion-webui.
    """
    adapters = "".join(f" <lora:{lora.name}:{lora.weight:g}>" for lora in record.pixels.loras)
    pixels = record.pixels
    settings = {
        "Steps": pixels.steps,
        "Sampler": pixels.sampler,
        "CFG scale": f"{pixels.guidance:g}",
        "Seed": pixels.seed,
        "Size": f"{pixels.width}x{pixels.height}",
        "Model hash": record.model_version,
        "Model": pixels.model,
        "Version": record.software,
    }
    lines = [pixels.prompt + adapters]
    if pixels.negative_prompt:
        lines.append(f"Negative prompt: {pixels.negative_prompt}")
    lines.append(", ".join(f"{name}: {_quote(str(value))}" for name, value in settings.items() if value is not None))
    return "\n".join(lines)


def xmp_of(record: Record) -> str:
    """An XMP packet: made by a trained model, by which software, showing what."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<xmp:CreatorTool>{_escape_xml(record.software)}</xmp:CreatorTool>"
        "<Iptc4xmpCore:AltTextAccessibility><rdf:Alt>"
        f'<rdf:li xml:lang="x-default">{_escape_xml(record.subject or record.pixels.prompt)}</rdf:li>'
        "</rdf:Alt></Iptc4xmpCore:AltTextAccessibility>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    )


def _escape_xml(text: str) -> str:
    """Text for XML 1.0, without the characters that it cannot hold."""
    return escape("".join(character for character in text if character in "\n\t" or character.isprintable()))


def _quote(value: str) -> str:
    return msgspec.json.encode(value).decode() if set(',:\n"') & set(value) else value


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value_of(text: str, kind: Any) -> Any:
    return text if _is_text(kind) else msgspec.json.decode(text)


def _is_text(kind: Any) -> bool:
    """Whether a field holds nothing but text: `str`, a literal, or either or null."""
    if get_origin(kind) in (Union, UnionType, Literal):
        return all(_is_text(member) for member in get_args(kind))
    return kind in (str, NoneType) or isinstance(kind, str)
