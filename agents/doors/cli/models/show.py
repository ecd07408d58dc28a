"""`bottega models list | show | path | samplers`: what the generators of this machine can draw with, and where it lies.
Needs no workshop."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.generator import announce
from agents.generator.architectures import ARCHITECTURES
from agents.generator.library.install import ModelLibrary
from agents.generator.library.pull import origin_of
from agents.generator.library.verify import verify_files
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    Entry,
    IpAdapterEntry,
    MotionEntry,
    ToolEntry,
    scheduler_of,
)
from agents.generator.registry.hosted import HostedModel, connect_hint
from agents.generator.registry.kinds import KINDS, WeightsKind
from agents.generator.registry.registry import Registry
from agents.generator.registry.samplers import SAMPLERS
from protocol.codec import encode
from protocol.nearest import nearest
from protocol.offers import EmbeddingInfo, Info, LoraInfo, ModelInfo, kind_of
from protocol.offers import ToolInfo as AnnouncedTool


class ToolInfo(Struct, frozen=True, kw_only=True):
    """A model that helps with pictures: it sees depth, pose or segmentation, or is an upscaler; or a ControlNet, by
    the kind of map that it follows and its platform."""

    name: str
    kind: str
    platform: str | None = None
    installed: bool
    install: str | None


Listed = Info | ToolInfo
"""A line of `bottega models list`."""


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
        _print({KINDS[kind].table: listed for kind, listed in known.items()})
    else:
        _show_list(open_console(), known)


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
    open_console().print(table)


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
    open_console().print(table)


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


def _list_known(registry: Registry) -> dict[WeightsKind, Sequence[Listed]]:
    """Every known entry by its kind, as it is announced; of ControlNets and tools less is shown."""
    offers = announce.announce(registry, announce.Versions(), announce.Speeds())
    listed: dict[WeightsKind, Sequence[Listed]] = {
        kind: [offer.info for offer in offers if kind_of(offer) == kind] for kind in registry.kinds
    }
    controls, tools = registry.controls, registry.tools
    listed["control"] = [_tool_info(one, one.platform, name in controls.installed) for name, one in controls.items()]
    listed["tool"] = [_tool_info(one, None, name in tools.installed) for name, one in tools.items()]
    return listed


def _tool_info(entry: ControlEntry | ToolEntry, platform: str | None, installed: bool) -> ToolInfo:
    return ToolInfo(
        name=entry.name,
        kind=entry.kind,
        platform=platform,
        installed=installed,
        install=entry.install or f"bottega models pull {entry.name}",
    )


def _details_of(registry: Registry, name: str) -> ModelDetails:
    if name in registry.hosted:
        return _hosted_details(registry.hosted[name])
    kind: WeightsKind | None = next((kind for kind, known in registry.kinds.items() if name in known), None)
    if kind is None:
        raise bad_input(
            f"no model is called {name[:64]!r}",
            hint=nearest(name, [*(name for known in registry.kinds.values() for name in known), *registry.hosted]),
            code="not_installed",
        )
    known = registry.kinds[kind]
    entry: Entry = known[name]
    hint = next(one.install for one in _list_known(registry)[kind] if one.name == name)
    origin = origin_of(known.paths[name])
    return msgspec.convert(
        {
            **entry.model_dump(mode="json"),
            "kind": _kind_of(entry, known.kind.noun),
            "installed": name in known.installed,
            "path": str(known.paths[name]),
            "disk_bytes": _disk_bytes(known.paths[name]),
            "commit": origin.commit if origin else None,
            "install": hint,
        },
        ModelDetails,
    )


def _hosted_details(model: HostedModel) -> ModelDetails:
    """A hosted model: its source is the vendor's, and it lies nowhere here."""
    return ModelDetails(
        name=model.name,
        kind="hosted model",
        installed=False,
        path="",
        platform=model.platform,
        source=f"{model.provider}: {model.vendor_model}",
        licence=model.licence,
        commercial=model.commercial,
        install=connect_hint(model.provider),
        negative_prompt=model.negative_prompt,
        native_sizes=list(model.native_sizes),
        aliases=list(model.aliases) or None,
    )


def _kind_of(entry: Entry, noun: str) -> str:
    match entry:
        case EmbeddingEntry():
            return "embedding"
        case ControlEntry():
            return f"{noun}, {entry.kind}"
        case IpAdapterEntry():
            return f"{noun} for {', '.join(entry.roles)}"
        case MotionEntry():
            return f"{noun}, {entry.max_frames} frames"
        case ToolEntry():
            return entry.kind
        case _:
            return noun


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


def _print(shown: Struct | dict[str, Sequence[Listed]]) -> None:
    sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")


def _show_list(console: Console, known: Mapping[WeightsKind, Sequence[Listed]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "model", "platform", "size", "steps"):
        table.add_column(name, no_wrap=True)
    table.add_column("licence")
    for kind, listed in known.items():
        for one in sorted(listed, key=_order):
            table.add_row("[green]✓[/]" if one.installed else "[dim]·[/]", one.name, *_columns(one, kind))
    console.print(table)
    absent = next((one for one in known["model"] if not one.installed and one.install), None)
    if absent is not None:
        console.print(f"\nTo install one, such as {absent.name}: {escape(absent.install or '')}", soft_wrap=True)


def _order(one: Listed) -> tuple[bool, str, str]:
    """Models and LoRAs that are installed come first, by their names; the rest stays in the order of the registry."""
    if isinstance(one, ModelInfo):
        return not one.installed, one.platform, one.name
    return (not one.installed, "", one.name) if isinstance(one, LoraInfo) else (False, "", "")


def _columns(one: Listed, kind: WeightsKind) -> tuple[str, str, str, str]:
    """Platform, size, steps and licence of something in the list."""
    match one:
        case ModelInfo():
            width, height = one.native_sizes[0]
            return one.platform, f"{width}×{height}", str(one.steps), one.licence or ""
        case EmbeddingInfo():
            return f"{one.platform} word {escape(one.token)}", "", "", ""
        case ToolInfo(platform=None) | AnnouncedTool():
            return f"{one.kind} of a picture", "", "", ""
        case _:
            return f"{one.platform} {KINDS[kind].noun}", "", "", ""
