"""`bottega models`: what the generators of this machine can draw with, and where it lies. Needs no workshop."""

import sys

from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.cli.configuration import configured
from agents.cli.failure import bad_input
from agents.generator import offers
from agents.generator.registry import Registry, load
from protocol.codec import encode
from protocol.messages import LoraInfo, ModelInfo
from protocol.nearest import nearest


class Models(Struct, frozen=True, kw_only=True):
    """What `bottega models --json` prints."""

    models: list[ModelInfo]
    loras: list[LoraInfo]


class ModelPath(Struct, frozen=True, kw_only=True):
    """What `bottega models path --json` prints."""

    path: str


def list_models(json: bool) -> None:
    """Show every known model and LoRA, and how to get those that are not installed."""
    registry = _registry()
    known = _known(registry)
    if json:
        sys.stdout.write(encode(known).decode() + "\n")
    else:
        _show(Console(), known)


def path(name: str, json: bool) -> None:
    """Print the folder of an installed model, or the file of a LoRA, and nothing else.

    Raises:
        Failure: it is not known, or not on this machine.
    """
    registry = _registry()
    places = {**registry.lora_places, **registry.places}
    if name not in places:
        raise bad_input(f"no model is called {name}", hint=nearest(name, places), code="not_installed")
    if name not in registry.installed | registry.installed_loras:
        known = _known(registry)
        hints = {one.name: one.install for one in (*known.models, *known.loras)}
        raise bad_input(f"{name} is not on this machine", hint=hints[name], code="not_installed")
    shown = ModelPath(path=str(places[name]))
    sys.stdout.write(f"{encode(shown).decode() if json else shown.path}\n")


def _known(registry: Registry) -> Models:
    versions = offers.Versions()
    return Models(models=offers.models(registry, offers.Speeds(), versions), loras=offers.loras(registry, versions))


def _registry() -> Registry:
    settings = configured()
    return load(settings.models, settings.loras, settings.home / "models.toml")


def _show(console: Console, known: Models) -> None:
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
    console.print(table)
    if absent := next((one for one in known.models if not one.installed and one.install), None):
        console.print(f"\nTo install one, such as {absent.name}: {escape(absent.install or '')}", soft_wrap=True)


def _mark(installed: bool) -> str:
    return "[green]✓[/]" if installed else "[dim]·[/]"
