"""Pulls a model from a hub to its folder. Free space is checked first, each file resumes where it broke off and is
checked against its hash, and the folder appears only when it is complete."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agents.generator.files.safetensors_header import CHECKPOINT_BOUNDS, UnsoundFile, read_header
from agents.generator.library.hub import Hub, Listing
from agents.generator.library.hub_files import (
    CONFIG_FILE,
    INDEX_FILE,
    HubFile,
    configuration_files,
    ip_adapter_files,
    pipeline_files,
    transformers_files,
)
from agents.generator.registry.weight_hashes import sha256_of
from bus.durable_files import replace_file, sync_file
from bus.durable_folders import sync_folder
from protocol.errors import AcpError, Refused

SPARE_BYTES = 1 << 30
"""Room that is left on a disk: other processes write to it too."""

ORIGIN_FILE = "origin.json"
"""The file in a model's folder that tells where it came from: `Origin`."""

ChooseFiles = Callable[[Sequence[HubFile], dict[str, Any]], list[HubFile]]
"""Which files are needed, by the file that says what the repository is."""

OnBytes = Callable[[int, int], None]
"""Told how many bytes are here, and of how many."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's folder came from: the repository, its commit, and the hash of each file."""

    source: str
    commit: str
    files: dict[str, str]


@dataclass(frozen=True)
class PullResult:
    """A model's folder and how many bytes of it came over the network this time."""

    folder: Path
    origin: Origin
    fetched_bytes: int


def pull_pipeline(hub: Hub, source: str, revision: str, dtype: str, folder: Path, told: OnBytes) -> PullResult:
    """Fetch a pipeline into `folder`, which does not exist yet. Weights in half precision are chosen for `float16`.

    Raises:
        Refused: the repository cannot be used, the disk is too small, or bytes are not those that were promised.
        Unavailable: the hub is out of reach; saying it again goes on where it broke off.
    """
    return _pull(hub, source, revision, INDEX_FILE, partial(pipeline_files, dtype=dtype, source=source), folder, told)


def pull_transformers_model(hub: Hub, source: str, revision: str, folder: Path, told: OnBytes) -> PullResult:
    """Fetch a model of transformers into `folder`, which does not exist yet.

    Raises:
        Refused, Unavailable: as `pull`.
    """
    return _pull(hub, source, revision, CONFIG_FILE, partial(transformers_files, source=source), folder, told)


def pull_ip_adapter(
    hub: Hub, source: str, revision: str, weights: str, encoder: str, folder: Path, told: OnBytes
) -> PullResult:
    """Fetch an IP-Adapter, as a registry entry names its parts, into `folder`, which does not exist yet.

    Raises:
        Refused, Unavailable: as `pull`.
    """
    choose = partial(ip_adapter_files, weights=weights, encoder=encoder, source=source)
    return _pull(hub, source, revision, f"{encoder}/{CONFIG_FILE}", choose, folder, told)


def _pull(
    hub: Hub, source: str, revision: str, index: str, choose: ChooseFiles, folder: Path, told: OnBytes
) -> PullResult:
    listing = hub.fetch_listing(source, revision)
    # A folder per commit: what is there of another one is not mixed in.
    part = folder.with_name(f".{folder.name}-{listing.commit[:12]}")
    files = choose(listing.files, _fetch_index(hub, listing, source, index, part))
    fetched = _fetch(hub, listing, source, files, part, told)
    origin = Origin(
        source=source, commit=listing.commit, files={file.path: file.sha256 or file.git_sha1 or "" for file in files}
    )
    replace_file(part / ORIGIN_FILE, msgspec.json.format(msgspec.json.encode(origin)))
    part.rename(folder)
    sync_folder(folder.parent)
    return PullResult(folder, origin, fetched)


def origin_of(folder: Path) -> Origin | None:
    """Where a folder was pulled from, or null where it was not."""
    try:
        return msgspec.json.decode((folder / ORIGIN_FILE).read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError):
        return None


def pull_configuration(hub: Hub, source: str, revision: str, folder: Path) -> None:
    """Fetch what describes a model, without its weights, into `folder`.

    Raises:
        Refused, Unavailable: as `pull`.
    """
    listing = hub.fetch_listing(source, revision)
    index = _fetch_index(hub, listing, source, INDEX_FILE, folder)
    _fetch(hub, listing, source, configuration_files(listing.files, index, source), folder, lambda here, all_: None)


def _fetch_index(hub: Hub, listing: Listing, source: str, index: str, part: Path) -> dict[str, Any]:
    """The JSON file that says what a repository is."""
    file = next((file for file in listing.files if file.path == index), None)
    if file is None or not 0 <= file.size <= 1 << 20:
        raise Refused(
            "not_installed",
            f"{source} cannot be used: it has no {index}",
            hint="for a single file, download it and say: bottega models add FILE",
        )
    _fetch(hub, listing, source, [file], part, lambda here, all_: None)
    try:
        return msgspec.json.decode((part / index).read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refused("not_installed", f"the {index} of {source} is no JSON object: {error}") from error


def _fetch(hub: Hub, listing: Listing, source: str, files: Sequence[HubFile], part: Path, told: OnBytes) -> int:
    """Bring all files into `part`; returns the bytes that came over the network."""
    part.mkdir(parents=True, exist_ok=True)
    total = sum(file.size for file in files)
    here = {file.path: _size(part / file.path) or _size(_partial_path(part, file)) for file in files}
    _check_room(part, total - sum(here.values()), source)
    fetched = 0
    for file in files:
        place = part / file.path
        if not (place.is_file() and place.stat().st_size == file.size):
            before = sum(here.values()) - here[file.path]
            fetched += _fetch_one(hub, listing.commit, source, file, part, lambda size: told(before + size, total))  # noqa: B023 - called before the next round
        here[file.path] = file.size
        told(sum(here.values()), total)
    return fetched


def _fetch_one(hub: Hub, commit: str, source: str, file: HubFile, part: Path, told: Callable[[int], None]) -> int:
    unfinished = _partial_path(part, file)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    fetched = 0
    if _size(unfinished) < file.size or not file.size:
        with (
            hub.open_file(source, commit, file.path, _size(unfinished)) as (begin, blocks),
            unfinished.open("ab") as handle,
        ):
            handle.truncate(begin)
            for block in blocks:
                handle.write(block)
                fetched += len(block)
                if begin + fetched > file.size:
                    break
                told(begin + fetched)
            sync_file(handle)
    try:
        _verify_file(unfinished, file)
    except AcpError:
        unfinished.unlink()
        raise
    unfinished.rename(part / file.path)
    sync_folder((part / file.path).parent)
    return fetched


def _verify_file(place: Path, file: HubFile) -> None:
    """That the bytes are those which the hub promised, and that weights are safetensors."""
    size = _size(place)
    if size != file.size or not has_promised_hash(place, file):
        raise Refused(
            "not_installed",
            f"{file.path} arrived with {size} bytes that are not the {file.size} which the hub promised",
            hint="say it again; if it happens again, the hub or the network between is not to be trusted",
        )
    if file.path.endswith(".safetensors"):
        try:
            read_header(place, CHECKPOINT_BOUNDS)
        except UnsoundFile as error:
            raise Refused("not_installed", f"{file.path} is no sound safetensors file: {error}") from error


def has_promised_hash(place: Path, file: HubFile) -> bool:
    """Whether a file's content has the hash that the hub promised."""
    if file.sha256:
        return sha256_of(place) == file.sha256
    # git's name of a small file: SHA-1 over a heading and the content. It is what the hub has of such files.
    content = place.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == file.git_sha1


def _check_room(folder: Path, needed: int, source: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise Refused(
            "disk_full",
            f"{source} needs {needed / 1e9:.1f} GB more, and {free / 1e9:.1f} GB are free at {folder.parent}",
            hint="make room there, or move BOTTEGA_HOME to a larger disk",
        )


def _partial_path(part: Path, file: HubFile) -> Path:
    return part / f"{file.path}.part"


def _size(place: Path) -> int:
    return place.stat().st_size if place.is_file() else 0
