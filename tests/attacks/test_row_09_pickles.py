"""Row 9 of the attack table, pickles: one that would run a program when it is read is refused, and never runs.

The rest of the row is held by `test_nothing_dangerous_is_parsed_or_run` (no code of the workshop loads one), by
`test_weights_as_pickles_are_refused_without_being_fetched` (a pull), `test_pickled_weights_are_refused` (a diffusers
folder) and `test_weights_that_are_a_pickle_are_not_read` (the scorer of QA).
"""

import pickle
import subprocess
import zipfile
from pathlib import Path

import pytest

from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, UnsoundFile, inspect_file
from agents.generator.library.hub_files import PICKLE_SUFFIXES
from agents.generator.library.recognise import recognise
from protocol.errors import Refused


class Runs:
    """An object whose pickle makes a folder when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[list[str]]]:
        return subprocess.check_call, (["mkdir", str(self._mark)],)


def _in_torch_archive(file: Path, data: bytes) -> None:
    """As `torch.save` writes it."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data)


@pytest.mark.parametrize("suffix", [*sorted(PICKLE_SUFFIXES), ".safetensors", ".npy", ""])
@pytest.mark.parametrize("archived", [False, True])
def test_a_pickle_is_refused_under_any_name_and_never_runs(suffix: str, archived: bool, tmp_path: Path) -> None:
    """Row 9."""
    mark, file = tmp_path / "ran", tmp_path / f"weights{suffix}"
    data = pickle.dumps(Runs(mark))
    if archived:
        _in_torch_archive(file, data)
    else:
        file.write_bytes(data)

    with pytest.raises(Refused, match=r"pickle|safetensors"):
        recognise(file)
    with pytest.raises(UnsoundFile, match="do not begin as a safetensors file"):
        inspect_file(file, ADAPTER_BOUNDS)

    assert not mark.exists()
    pickle.loads(data)
    assert mark.is_dir()
