"""`bottega models pull | add | remove`: what the workshop can draw with. A generator sees changes when it starts."""

import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from agents.doors.cli.errors import bad_input
from agents.doors.cli.models.show import model_library
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.generator.library import install as shelving
from agents.generator.library import models_toml
from agents.generator.library import pull as pulling
from agents.generator.library.hub import Hub
from agents.generator.library.install import ModelLibrary, installed_names, paths_by_name
from agents.generator.library.recognise import recognise
from agents.generator.registry.entries import HubEntry, IpAdapterEntry, LocalModel, is_on_hub
from agents.generator.registry.registry import Registry
from protocol.codec import encode
from protocol.nearest import nearest

_REPOSITORY = re.compile(r"(?P<source>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?", re.ASCII)

_KIND_NAMES = {
    "lora": "LoRA",
    "embedding": "word",
    "ip_adapter": "IP-Adapter",
    "upscaler": "upscaler",
    "face_restorer": "face restorer",
}
"""How people call the kinds that were added; everything else is a model."""


class PullResult(Struct, frozen=True, kw_only=True):
    """What `bottega models pull --json` prints; `fetched` are the bytes that came over the network."""

    name: str
    path: str
    source: str
    commit: str | None
    fetched: int


class AddResult(Struct, frozen=True, kw_only=True):
    """What `bottega models add --json` prints; `word` triggers a LoRA, or is the word that an embedding teaches, and
    `notes` are what a person should know of the file."""

    name: str
    kind: str
    platform: str | None
    path: str
    word: str | None
    notes: list[str]


class RemoveResult(Struct, frozen=True, kw_only=True):
    """What `bottega models remove --json` prints; `left` are files outside the home folder, which stay."""

    name: str
    freed: int
    left: str | None


def pull(source: str, name: str | None, platform: str | None, json: bool) -> None:
    """Fetch a known model, or a repository that becomes known by it.

    Raises:
        Failure: the model is not known, or is not one of the hub.
        Refused, Unavailable: see `library.pull`.
    """
    places = model_library()
    registry = places.load_registry()
    repository = _REPOSITORY.fullmatch(source)
    if repository:
        name = name or re.sub(r"[^A-Za-z0-9_-]+", "_", repository["source"].partition("/")[2])[:64]
        if name in registry.models:
            raise bad_input(f"{name} is known already", hint=f"bottega models pull {name}, or choose another --name")
        revision = repository["revision"] or "main"
        done = _pull_new(places, registry, repository["source"], revision, name, platform, json)
    else:
        done = _pull_known(registry, source, json)
    if json:
        sys.stdout.write(encode(done).decode() + "\n")
    else:
        commit = f" at {done.commit[:12]}" if done.commit else ""
        sys.stdout.write(f"{done.name} is at {done.path}\n{done.source}{commit}, {done.fetched / 1e9:.2f} GB fetched\n")


def add(file: Path, name: str | None, platform: str | None, json: bool) -> None:
    """Make a file or folder known.

    Raises:
        Refused: see `library.install.add`.
    """

    def configure(model: LocalModel, folder: Path) -> None:
        with _open_hub() as hub:
            pulling.pull_configuration(hub, model.source, model.revision or "main", folder)

    done = shelving.add(model_library(), file, name, platform, configure)
    if json:
        shown = AddResult(
            name=done.name,
            kind=done.kind,
            platform=done.platform,
            path=str(done.path),
            word=done.trigger_word,
            notes=list(done.notes),
        )
        sys.stdout.write(encode(shown).decode() + "\n")
    else:
        what = _KIND_NAMES.get(done.kind, "model")
        said = (f" for {done.platform}" if done.platform else "") + (
            f", in prompts: {done.trigger_word}" if done.trigger_word else ""
        )
        notes = "".join(f"{note}\n" for note in done.notes)
        sys.stdout.write(f"{done.name}: {what}{said}\n{notes}Restart the generator to use it.\n")


def remove(name: str, json: bool) -> None:
    """Forget a model or LoRA.

    Raises:
        Refused: see `library.install.remove`.
    """
    done = shelving.remove(model_library(), name)
    if json:
        shown = RemoveResult(
            name=name, freed=done.freed_bytes, left=str(done.remaining_path) if done.remaining_path else None
        )
        sys.stdout.write(encode(shown).decode() + "\n")
    else:
        kept = f"; {done.remaining_path} stays where it is" if done.remaining_path else ""
        sys.stdout.write(f"{name} is gone, {done.freed_bytes / 1e9:.2f} GB freed{kept}\n")


def _pull_known(registry: Registry, name: str, json: bool) -> PullResult:
    every = (entry for known in registry.kinds.values() for entry in known.values())
    known = {entry.name: entry for entry in every if isinstance(entry, HubEntry)}
    entry = known.get(name)
    if entry is None:
        raise bad_input(
            f"no model is called {name[:64]!r}",
            hint=f"{nearest(name, known)} A repository is written owner/name",
            code="not_installed",
        )
    folder = paths_by_name(registry)[name]
    if name in installed_names(registry):
        origin = pulling.origin_of(folder)
        return PullResult(
            name=name, path=str(folder), source=entry.source, commit=origin.commit if origin else None, fetched=0
        )
    if not is_on_hub(entry.source):
        raise bad_input(f"{name} is not on the hub", hint=entry.install or f"put it at {folder}", code="not_installed")
    where = {"source": entry.source, "revision": entry.revision or "main", "folder": folder}
    match entry:
        case LocalModel():
            fetch = partial(pulling.pull_pipeline, dtype=entry.dtype, **where)
        case IpAdapterEntry():
            fetch = partial(pulling.pull_ip_adapter, weights=entry.weights, encoder=entry.encoder, **where)
        case _:
            fetch = partial(pulling.pull_transformers_model, **where)
    return _pull_with_progress(name, folder, entry.source, fetch, json)


def _pull_new(
    places: ModelLibrary, registry: Registry, source: str, revision: str, name: str, platform: str | None, json: bool
) -> PullResult:
    folder = places.models / name
    if folder.exists():
        raise bad_input(f"{folder} is there already", hint="choose another --name, or remove it")
    if platform is not None:
        platform = shelving.resolve_platform(platform, None, registry, folder)
    fetch = partial(pulling.pull_pipeline, source=source, revision=revision, dtype="float16", folder=folder)
    done = _pull_with_progress(name, folder, source, fetch, json)
    known = shelving.resolve_platform(platform, recognise(folder), registry, folder)
    fields = {"platform": known, "source": source, "revision": done.commit}
    places.edit_registry(lambda text: models_toml.with_entry(text, f"models.{name}", fields))
    return done


def _pull_with_progress(
    name: str, folder: Path, source: str, fetch: Callable[..., pulling.PullResult], json: bool
) -> PullResult:
    """Have `fetch(hub, told=...)` fill a folder, and show how far it is."""
    bar = Progress(
        TextColumn(source),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=open_console(stderr=True),
        disable=json,
    )
    with _open_hub() as hub, bar:
        task = bar.add_task("", total=None)

        def told(here: int, of: int) -> None:
            bar.update(task, completed=here, total=of)

        done = fetch(hub, told=told)
    return PullResult(name=name, path=str(folder), source=source, commit=done.origin.commit, fetched=done.fetched_bytes)


@contextmanager
def _open_hub() -> Generator[Hub]:
    settings = load_settings()
    hub = Hub(settings.hub_url, settings.hub_token.get_secret_value() if settings.hub_token else None)
    try:
        yield hub
    finally:
        hub.close()
