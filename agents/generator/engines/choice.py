"""Which engine a generator has, by the setting `generator`, and what of the registry it can make. One row an engine."""

from collections.abc import Callable, Mapping

from agents.generator.device.tuning import tuning_of
from agents.generator.engine import Engine
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.engines.hosted_engine import HostedEngine
from agents.generator.providers.catalogue import Catalogue
from agents.generator.providers.instant import FlatColourEngine
from agents.generator.providers.provider import provider_module
from agents.generator.registry.registry import Registry
from agents.shared.settings import Settings
from protocol.errors import Refused

Chosen = tuple[Engine, Registry]


def _diffusers(settings: Settings, known: Registry, catalogue: Catalogue) -> Chosen:
    run = settings.home / "run"
    return DiffusersEngine(settings.device, settings.torch_threads, run, tuning_of(settings)), known


def _instant(settings: Settings, known: Registry, catalogue: Catalogue) -> Chosen:
    return FlatColourEngine(settings.instant_s), known.with_everything_installed()


def _hosted(settings: Settings, known: Registry, catalogue: Catalogue) -> Chosen:
    """Every provider that has a model, and a key where it needs one."""
    keys = settings.provider_keys
    modules = {name: provider_module(name, catalogue) for name in {one.provider for one in known.hosted.values()}}
    ready = {name: module for name, module in sorted(modules.items()) if not module.NEEDS_KEY or name in keys}
    if not ready:
        raise Refused(
            "not_installed",
            f"no provider can be asked; those with models are: {', '.join(sorted(modules)) or 'none'}",
            hint="enter a model with its provider in models.toml, and its key as provider_keys.NAME in bottega.toml",
        )
    return HostedEngine(ready, keys), known.with_providers_alone(ready)


ENGINES: Mapping[str, Callable[[Settings, Registry, Catalogue], Chosen]] = {
    "diffusers": _diffusers,
    "instant": _instant,
    "hosted": _hosted,
}
