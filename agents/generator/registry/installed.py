"""The entries of one kind, their paths, which of them are on this machine, and the refusal of what is not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

from agents.generator.registry.kinds import E, Kind
from protocol.errors import Refused
from protocol.nearest import nearest


@dataclass(frozen=True, eq=False)
class Installed(Mapping[str, E], Generic[E]):
    """Every known entry of one kind by name, as a mapping; `paths` is where each is or would be, and `installed` are
    the names of those that were there when the registry was read."""

    kind: Kind[E]
    entries: Mapping[str, E]
    paths: Mapping[str, Path]
    installed: frozenset[str]

    def __getitem__(self, name: str) -> E:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def require(
        self,
        name: str,
        path: str,
        *,
        fits: Callable[[E], bool] | None = None,
        purpose: str = "",
        hint: str | None = None,
    ) -> tuple[E, Path]:
        """An entry that is on this machine, and where; `path` is where the job names it. With `fits`, entries that do
        not fit count as unknown, and `purpose` says what they would have to be for; `hint` replaces the nearest name.

        Raises:
            Refused: it is not known, does not fit, or is not installed; with what to do.
        """
        entry = self.entries.get(name)
        if entry is None or (fits is not None and not fits(entry)):
            unknown = f"the {self.kind.noun} {name[:64]!r} is not known"
            unfit = f"{name[:64]!r} is no {self.kind.noun} for {purpose}"
            near = hint or f"{nearest(name, self.entries)}{self.kind.unknown_hint}"
            raise Refused("not_installed", unfit if purpose else unknown, path=path, hint=near)
        if how := self.install_hint(name):
            message = f"the {self.kind.noun} {name} is not on this machine"
            raise Refused("not_installed", message, path=path, hint=how)
        return entry, self.paths[name]

    def install_hint(self, name: str) -> str | None:
        """How to get a known entry; null where it is installed."""
        return None if name in self.installed else self.kind.install_hint(self.entries[name], self.paths[name])

    def with_all_installed(self) -> "Installed[E]":
        """The same, with every entry taken for installed."""
        return replace(self, installed=frozenset(self.entries))


def find_installed(kind: Kind[E], entries: Mapping[str, E], folder: Path) -> Installed[E]:
    """Look for each entry in the folder of its kind, or where it says that it is."""
    paths = {name: entry.path or folder / kind.file_name(entry) for name, entry in entries.items()}
    installed = frozenset(name for name, path in paths.items() if kind.is_installed(entries[name], path))
    return Installed(kind, entries, paths, installed)
