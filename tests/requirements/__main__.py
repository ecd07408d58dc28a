"""Writes or checks `tests/REQUIREMENTS.md`: `python -m tests.requirements --write|--check`."""

import argparse
import sys

from tests.requirements import REQUIREMENTS, SECTIONS
from tests.requirements.table import FILE, render


def main() -> None:
    """Exit code 1 where `--check` finds the document not current."""
    parser = argparse.ArgumentParser(prog="python -m tests.requirements", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the document")
    mode.add_argument("--check", action="store_true", help="exit 1 where the document is not current")
    options = parser.parse_args()
    text = render(REQUIREMENTS, SECTIONS)
    if options.write:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        sys.exit(f"{FILE.name} is not current: python -m tests.requirements --write")


if __name__ == "__main__":
    main()
