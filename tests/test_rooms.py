"""Rooms of a package: which may import which, read from the source."""

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.test_architecture import ROOT, imports, is_inside, where

LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "agents.planner": (
        ("planning",),
        ("ledger",),
        ("money", "inputs", "outbox"),
        ("scheduling",),
        ("transitions",),
        ("requests",),
        ("agent",),
    ),
}
"""Package -> its rooms from the innermost out. A room imports itself and the rooms of inner layers; rooms of one layer
do not import each other, so there is no cycle."""


@pytest.mark.parametrize("package", LAYERS)
def test_a_room_imports_only_itself_and_inner_rooms(package: str) -> None:
    layer_of = {room: number for number, rooms in enumerate(LAYERS[package]) for room in rooms}
    folder = ROOT / package.replace(".", "/")
    wrong: list[str] = []
    for file in sorted(folder.rglob("*.py")):
        room = file.relative_to(folder).with_suffix("").parts[0]
        for name, line in imports(file):
            if room not in layer_of or not is_inside(name, (package,)):
                continue
            other = name.removeprefix(f"{package}.").split(".")[0]
            if other != room and layer_of.get(other, -1) >= layer_of[room]:
                wrong.append(f"{where(file)}:{line} imports {name}")

    assert {entry.stem for entry in folder.iterdir() if entry.suffix in ("", ".py")} - {"__init__", "__pycache__"} <= (
        set(layer_of) | {"migrations"}
    )
    assert wrong == []


ROOMS: dict[str, dict[str, str]] = {
    "agents.planner": {},
    # What a provider can do and which there are is data that the registry reads; providers are above engines.
    "agents.generator": {"providers.catalogue": "registry", "providers.capabilities": "registry"},
    "agents.doors.cli": {},
}
"""Package with rooms -> its files that belong to another room than their folder."""


@pytest.mark.parametrize("package", ROOMS)
def test_there_is_no_cycle_between_rooms(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    needs: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        room = room_of(".".join(file.relative_to(folder).with_suffix("").parts), ROOMS[package])
        for name, _ in imports(file):
            if is_inside(name, (package,)) and name != package:
                needs.setdefault(room, set()).add(room_of(name.removeprefix(f"{package}."), ROOMS[package]))

    try:
        TopologicalSorter({room: others - {room} for room, others in needs.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"each imports the next: {' <- '.join(error.args[1])}")


def room_of(module: str, elsewhere: dict[str, str]) -> str:
    """The room of a module, or of a name in it, within its package."""
    return next(
        (room for other, room in elsewhere.items() if is_inside(module, (other,))), module.split(".", maxsplit=1)[0]
    )
