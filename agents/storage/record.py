"""How a picture was made, as it is written into the picture and beside it. Pure module."""

from importlib.metadata import version
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from xml.sax.saxutils import escape

import msgspec
from msgspec import Struct

from agents.storage.png import XMP_KEYWORD
from protocol.animation import Motion
from protocol.catalogue import Catalogued, ReferenceBlob
from protocol.commands import Lora, Scalar
from protocol.messages import Buckets, StoreImage
from protocol.parameters import EngineKind, Filing, Region
from protocol.post import PostStep
from protocol.replies import Size
from protocol.sources import ControlImage, ImagePrompt, InitImage

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for a picture that a trained model made (https://cv.iptc.org/newscodes/digitalsourcetype)."""


class Record(Struct, frozen=True, kw_only=True):
    """Everything needed to make the picture again, and what was measured. Sizes are pixels, `seconds` of generation.
    `generated` is the size before the steps of `post`, null where there are none. `reused` is the picture whose pixels
    were returned, by its id, where none was made; `size_bytes` those of the blob.

    Each field is one text of the PNG file under its own name, as it is where it is text and as JSON where it is not.
    """

    image_id: str
    batch: str
    client: str
    index: int
    attempt: int
    disposition: Filing
    prompt: str
    negative_prompt: str = ""
    subject: str = ""
    template: str = "plain"
    template_version: str = "1"
    style: str | None = None
    style_reference: str | None = None
    section: str | None = None
    seed: int
    width: int
    height: int
    steps: int
    guidance: float
    sampler: str
    platform: str
    model: str
    model_version: str | None = None
    models: list[str] = []
    loras: list[Lora] = []
    stand_in_for: str | None = None
    provider: str = "local"
    device: str = "cpu"
    bucket: int = 1
    buckets: Buckets | None = None
    engine: EngineKind | None = None
    versions: dict[str, str] = {}
    revised_prompt: str | None = None
    seconds: float | None = None
    cost_micros: int | None = None
    score: float | None = None
    measures: dict[str, float | None] = {}
    reasons: list[str] = []
    colour: str | None = None
    created_at: str = ""
    blob: str
    size_bytes: int | None = None
    reused: str | None = None
    metadata: dict[str, Scalar] = {}
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None
    references: list[ReferenceBlob] = []
    init_image: InitImage | None = None
    controls: list[ControlImage] = []
    image_prompts: list[ImagePrompt] = []
    regions: list[Region] = []
    post: list[PostStep] = []
    generated: Size | None = None
    motion: Motion | None = None
    name_template: str | None = None
    software: str = f"bottega {version('bottega')}"


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
        prompt=job.prompt.text,
        negative_prompt=job.prompt.negative,
        subject=job.prompt.subject,
        template=job.prompt.template,
        template_version=job.prompt.template_version,
        style=job.style,
        style_reference=job.prompt.style_reference,
        section=job.section,
        seed=job.seed,
        width=picture.width,
        height=picture.height,
        steps=job.steps,
        guidance=job.guidance,
        sampler=job.sampler,
        platform=job.platform,
        model=picture.model,
        model_version=picture.model_version,
        models=job.models,
        loras=job.loras,
        stand_in_for=job.stand_in_for,
        provider=picture.provider,
        device=picture.device,
        bucket=picture.bucket,
        buckets=picture.buckets,
        engine=picture.engine,
        versions=picture.versions,
        revised_prompt=picture.revised_prompt,
        seconds=picture.seconds,
        cost_micros=picture.cost_micros,
        score=assessment.score,
        measures=assessment.measures,
        reasons=assessment.reasons,
        colour=colour,
        created_at=job.created_at,
        blob=picture.blob,
        size_bytes=picture.size_bytes,
        reused=message.reused,
        metadata=job.metadata,
        swept=job.swept,
        catalogued=job.catalogued,
        references=job.prompt.references,
        init_image=job.init_image,
        controls=job.controls,
        image_prompts=job.image_prompts,
        regions=job.regions,
        post=job.post,
        generated=Size(width=job.width, height=job.height) if job.post else None,
        motion=job.motion,
        name_template=job.name_template,
    )


def texts_of(record: Record) -> dict[str, str]:
    """The texts of the PNG file by keyword: first what other tools read, then each field that has a value."""
    fields = msgspec.structs.asdict(record)
    own = {name: _text_of(value) for name, value in fields.items() if value not in (None, "", [], {})}
    common = {"parameters": parameters_of(record), "Software": record.software, XMP_KEYWORD: xmp_of(record)}
    return common | own


def record_of_texts(texts: dict[str, str]) -> Record:
    """The record in the texts of a PNG file.

    Raises:
        msgspec.MsgspecError: the texts are not of this program or were changed by another.
    """
    fields = msgspec.structs.fields(Record)
    found = {field.name: _value_of(texts[field.name], field.type) for field in fields if field.name in texts}
    return msgspec.convert(found, Record)


def sidecar_of(record: Record) -> bytes:
    """The record as a JSON file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def parameters_of(record: Record) -> str:
    """The text that AUTOMATIC1111's web UI writes under `parameters` and many tools read.

    Source: modules/processing.py `create_infotext` of AUTOMATIC1111/stable-diffusion-webui.
    """
    adapters = "".join(f" <lora:{lora.name}:{lora.weight:g}>" for lora in record.loras)
    size = record.generated or Size(width=record.width, height=record.height)
    settings = {
        "Steps": record.steps,
        "Sampler": record.sampler,
        "CFG scale": f"{record.guidance:g}",
        "Seed": record.seed,
        "Size": f"{size.width}x{size.height}",
        "Model hash": record.model_version,
        "Model": record.model,
        "Version": record.software,
    }
    lines = [record.prompt + adapters]
    if record.negative_prompt:
        lines.append(f"Negative prompt: {record.negative_prompt}")
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
        f'<rdf:li xml:lang="x-default">{_escape_xml(record.subject or record.prompt)}</rdf:li>'
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
