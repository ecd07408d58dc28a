"""`bottega models list | show | path | samplers`: what the generators of this machine can draw with, and where it lies.
Needs no workshop."""

import sys
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.generator import announce
from agents.generator.architectures import ARCHITECTURES
from agents.generator.library.install import ModelLibrary, installed_names, paths_by_name
from agents.generator.library.pull import origin_of
from agents.generator.library.verify import verify_files
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    IpAdapterEntry,
    LoraEntry,
    Model,
    MotionEntry,
    ToolEntry,
    scheduler_of,
)
from agents.generator.registry.registry import Registry
from agents.generator.registry.samplers import SAMPLERS
from protocol.codec import encode
from protocol.nearest import nearest
from protocol.offers import EmbeddingInfo, IpAdapterInfo, LoraInfo, ModelInfo, MotionInfo


class Models(Struct, frozen=True, kw_only=True):
    """What `bottega models list --json` prints."""

    models: list[ModelInfo]
    loras: list[LoraInfo]
    embeddings: list[EmbeddingInfo]
    controls: list["ToolInfo"]
    ip_adapters: list[IpAdapterInfo]
    motions: list[MotionInfo]
    tools: list["ToolInfo"]


class ToolInfo(Struct, frozen=True, kw_only=True):
    """A model that helps with pictures: it sees depth, pose or segmentation, or is an upscaler; or a ControlNet, by
    the kind of map that it follows and its platform."""

    name: str
    kind: str
    platform: str | None = None
    installed: bool
    install: str | None


class ModelPath(Struct, frozen=True, kw_only=True):
    """What `bottega models path --json` prints."""

    path: str


class ModelDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `bottega models show --json` prints: the entry of the registry, with what is on this machine. `commit` is
    the one that was pulled, `revision` the one that would be; `disk_bytes` is what the files take;
    `verified_files` is how many were found as they were pulled or added, null where nobody looked."""

    name: str
    kind: str
    installed: bool
    path: str
    platform: str | None = None
    disk_bytes: int | None = None
    verified_files: int | None = None
    commit: str | None = None
    source: str | None = None
    revision: str | None = None
    sha256: str | None = None
    licence: str | None = None
    commercial: str | None = None
    install: str | None = None
    trigger: str | None = None
    token: str | None = None
    architecture: str | None = None
    memory_gb: float | None = None
    dtype: str | None = None
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    guidance_range: tuple[float, float] | None = None
    negative_prompt: bool | None = None
    native_sizes: list[tuple[int, int]] | None = None
    aliases: list[str] | None = None


class SamplerInfo(Struct, frozen=True, kw_only=True):
    """A sampler; `calls` is how often each step asks the model."""

    name: str
    aliases: list[str]
    schedulers: list[str]
    architectures: list[str]
    ancestral: bool
    calls: int


class Samplers(Struct, frozen=True, kw_only=True):
    """What `bottega models samplers --json` prints."""

    samplers: list[SamplerInfo]


def model_library() -> ModelLibrary:
    """Where this home keeps its models."""
    settings = load_settings()
    return ModelLibrary(settings.models, settings.loras, settings.home / "models.toml")


def list_models(json: bool) -> None:
    """Show every known model and LoRA, and how to get those that are not installed."""
    registry = model_library().load_registry()
    known = _list_known(registry)
    if json:
        _print(known)
    else:
        _show_list(Console(), known)


def show_model(name: str, verify: bool, json: bool) -> None:
    """Show all that is known of a model or LoRA; `verify` compares its files with their hashes.

    Raises:
        Failure: it is not known, or a file is not what it was.
    """
    registry = model_library().load_registry()
    details = _details_of(registry, name)
    if verify:
        details = _verify(details)
    if json:
        _print(details)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for field, value in msgspec.to_builtins(details).items():
        table.add_row(f"[dim]{field.replace('_', ' ')}[/]", escape(_format_value(value)))
    Console().print(table)


def show_path(name: str, json: bool) -> None:
    """Print the folder of an installed model, or the file of a LoRA, and nothing else.

    Raises:
        Failure: it is not known, or not on this machine.
    """
    details = _details_of(model_library().load_registry(), name)
    if not details.installed:
        raise bad_input(f"{name} is not on this machine", hint=details.install, code="not_installed")
    sys.stdout.write(f"{encode(ModelPath(path=details.path)).decode() if json else details.path}\n")


def list_samplers(json: bool) -> None:
    """Show every sampler."""
    known = Samplers(
        samplers=[
            SamplerInfo(
                name=sampler.name,
                aliases=list(sampler.aliases),
                schedulers=[one.name for one in (sampler.diffusion, sampler.flow) if one],
                architectures=[one for one in ARCHITECTURES if scheduler_of(sampler, one)],
                ancestral=sampler.ancestral,
                calls=sampler.calls_per_step,
            )
            for sampler in SAMPLERS
        ]
    )
    if json:
        _print(known)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("sampler", "adds noise", "calls", "flow models", "also called"):
        table.add_column(name, no_wrap=name != "also called")
    for one in known.samplers:
        flow = " ".join(name for name in one.architectures if ARCHITECTURES[name].flow_matching)
        table.add_row(one.name, "yes" if one.ancestral else "", str(one.calls), flow, ", ".join(one.aliases))
    Console().print(table)


def _verify(details: ModelDetails) -> ModelDetails:
    number, wrong = verify_files(Path(details.path), details.sha256)
    if wrong:
        raise bad_input(
            f"{wrong[0]} is not the file that it was"
            + (f", nor are {len(wrong) - 1} others" if len(wrong) > 1 else ""),
            hint=f"bottega models remove {details.name}, then get it again",
            code="not_installed",
        )
    return replace(details, verified_files=number)


def _list_known(registry: Registry) -> Models:
    versions = announce.Versions()
    return Models(
        models=announce.model_infos(registry, announce.Speeds(), versions),
        loras=announce.lora_infos(registry, versions),
        embeddings=announce.embedding_infos(registry, versions),
        controls=[
            ToolInfo(
                name=name,
                kind=entry.kind,
                platform=entry.platform,
                installed=name in registry.installed_controls,
                install=entry.install or f"bottega models pull {name}",
            )
            for name, entry in registry.controls.items()
        ],
        ip_adapters=announce.ip_adapter_infos(registry, versions),
        motions=announce.motion_infos(registry, versions),
        tools=[
            ToolInfo(
                name=name,
                kind=entry.kind,
                installed=name in registry.installed_tools,
                install=entry.install or f"bottega models pull {name}",
            )
            for name, entry in registry.tools.items()
        ],
    )


_FIELDS_OF_ONE_KIND = frozenset({"roles", "weights", "encoder", "max_frames", "schedule"})
"""What entries of one kind alone have."""


def _details_of(registry: Registry, name: str) -> ModelDetails:
    adapters = (registry.loras, registry.embeddings, registry.controls, registry.ip_adapters, registry.motions)
    tables = (registry.models, *adapters, registry.tools)
    entry = next((table[name] for table in tables if name in table), None)
    if entry is None:
        raise bad_input(
            f"no model is called {name[:64]!r}",
            hint=nearest(name, [name for table in tables for name in table]),
            code="not_installed",
        )
    known = _list_known(registry)
    parts = (*known.tools, *known.ip_adapters, *known.motions, *known.controls)
    listed = (*parts, *known.embeddings, *known.loras, *known.models)
    hints = {one.name: one.install for one in listed}
    place = paths_by_name(registry)[name]
    origin = origin_of(place)
    fields = entry.model_dump(
        mode="json", exclude={"path", "install", "priority", "multiple_of", "max_pixels", *_FIELDS_OF_ONE_KIND}
    )
    return msgspec.convert(
        {
            **fields,
            "kind": _kind_of(entry),
            "installed": name in installed_names(registry),
            "path": str(place),
            "disk_bytes": _disk_bytes(place),
            "commit": origin.commit if origin else None,
            "install": hints[name],
        },
        ModelDetails,
    )


def _kind_of(
    entry: Model | LoraEntry | EmbeddingEntry | ControlEntry | IpAdapterEntry | MotionEntry | ToolEntry,
) -> str:
    match entry:
        case Model():
            return "model"
        case LoraEntry():
            return "LoRA"
        case EmbeddingEntry():
            return "embedding"
        case ControlEntry():
            return f"ControlNet, {entry.kind}"
        case IpAdapterEntry():
            return f"IP-Adapter for {', '.join(entry.roles)}"
        case MotionEntry():
            return f"motion adapter, {entry.max_frames} frames"
        case ToolEntry():
            return entry.kind


def _disk_bytes(place: Path) -> int | None:
    if place.is_file():
        return place.stat().st_size
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) if place.is_dir() else None


def _format_value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join("×".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of JSON
        case _:
            return str(value)


def _print(shown: Struct) -> None:
    sys.stdout.write(encode(shown).decode() + "\n")


def _show_list(console: Console, known: Models) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "model", "platform", "size", "steps"):
        table.add_column(name, no_wrap=True)
    table.add_column("licence")
    for model in sorted(known.models, key=lambda one: (not one.installed, one.platform, one.name)):
        width, height = model.native_sizes[0]
        size = f"{width}×{height}"
        table.add_row(_mark(model.installed), model.name, model.platform, size, str(model.steps), model.licence or "")
    for lora in sorted(known.loras, key=lambda one: (not one.installed, one.name)):
        table.add_row(_mark(lora.installed), lora.name, f"{lora.platform} LoRA", "", "", "")
    for word in known.embeddings:
        table.add_row(_mark(word.installed), word.name, f"{word.platform} word {escape(word.token)}", "", "", "")
    for control in known.controls:
        table.add_row(_mark(control.installed), control.name, f"{control.platform} ControlNet", "", "", "")
    for adapter in known.ip_adapters:
        table.add_row(_mark(adapter.installed), adapter.name, f"{adapter.platform} IP-Adapter", "", "", "")
    for motion in known.motions:
        table.add_row(_mark(motion.installed), motion.name, f"{motion.platform} motion adapter", "", "", "")
    for tool in known.tools:
        table.add_row(_mark(tool.installed), tool.name, f"{tool.kind} of a picture", "", "", "")
    console.print(table)
    if absent := next((one for one in known.models if not one.installed and one.install), None):
        console.print(f"\nTo install one, such as {absent.name}: {escape(absent.install or '')}", soft_wrap=True)


def _mark(installed: bool) -> str:
    return "[green]✓[/]" if installed else "[dim]·[/]"
