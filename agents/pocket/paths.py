"""Where the pocket model's folders lie, relative to this package."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model"
SCORER = HERE / "scorer"
EVALUATOR = HERE / "evaluator"
ADAPTERS = HERE / "adapters"
DEFAULTS = HERE / "model_defaults.json"
SHEET = HERE / "sheet.png"
# Rendered pictures and checkpoints of a training in progress; ignored by git.
WORK = HERE.parent.parent / ".pocket"
