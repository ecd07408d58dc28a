# pyright: basic, reportPrivateImportUsage=false
"""The recipe of the pocket model, from nothing to folders that load, in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agents
from agents.pocket import paths

SCALE = "0.001"


def copied(root: Path) -> Path:
    """The package without its weights; its checkpoints will lie beside it."""
    kept = shutil.ignore_patterns("*.safetensors", "model", "scorer", "evaluator", "adapters", "__pycache__", "*.png")
    shutil.copytree(paths.HERE, root / "agents" / "pocket", ignore=kept)
    shutil.copy(Path(agents.__file__), root / "agents")
    return root / "agents" / "pocket"


def train(root: Path, *words: str) -> str:
    """What a training says; it has to end well."""
    command = [sys.executable, "-m", "agents.pocket.train", "--scale", SCALE, "--threads", "1", *words]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_stage_that_is_finished_has_nothing_to_do_again(tmp_path: Path) -> None:
    copied(tmp_path)
    assert re.search(r"evaluator: step \d+ of", train(tmp_path, "data", "evaluator"))
    assert not re.search(r": step \d+ of", train(tmp_path, "data", "evaluator"))


@pytest.mark.training
@pytest.mark.timeout(1300)
def test_the_recipe_goes_from_nothing_to_folders_that_load_and_has_nothing_to_do_again(tmp_path: Path) -> None:
    from agents.pocket import evaluate, export, judge
    from agents.pocket.adherence import Adherence
    from agents.pocket.render import Scene, render

    package = copied(tmp_path)
    said = train(tmp_path)
    assert re.search(r"in all \d+ min", said.splitlines()[9])
    model, scorer, evaluator = package / "model", package / "scorer", package / "evaluator"
    (picture,) = evaluate.draw(evaluate.load(model), ["a red mug"], steps=2, guidance=3.0)
    assert picture.size == (128, 128)
    assert 0 <= Adherence(scorer).score([picture], ["a red mug"])[0] <= 1
    assert judge.name(judge.load(evaluator), [render(Scene(0, 0, 1, 0))]).shape == (1, len(judge.HEADS))
    weights = [export.hashes(folder) for folder in (model, scorer, evaluator)]
    again = train(tmp_path)
    assert not re.search(r": step \d+ of", again)
    assert [export.hashes(folder) for folder in (model, scorer, evaluator)] == weights
