"""A plugin of coverage.py: what is measured are the modules whose docstring says that they are pure."""

import ast
from pathlib import Path
from typing import Any

from coverage import CoveragePlugin
from coverage.types import TConfigurable

ROOT = Path(__file__).parent.parent


class PureModules(CoveragePlugin):
    """Sets the files to measure."""

    def configure(self, config: TConfigurable) -> None:
        config.set_option("run:include", pure_modules())


def pure_modules() -> list[str]:
    """The files of the house that say "Pure module"."""
    files = sorted(file for package in ("protocol", "bus", "agents") for file in (ROOT / package).rglob("*.py"))
    return [str(file) for file in files if "Pure module" in (docstring(file) or "")]


def docstring(file: Path) -> str | None:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def coverage_init(reg: Any, options: Any) -> None:
    """What coverage.py calls."""
    reg.add_configurer(PureModules())
