"""Writes or checks the derived documents: `python -m protocol.schema --write|--check [--frames DIR]`.

`schema.json` and `asyncapi.json` stand beside this file. The examples of the latter are the golden frames.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from protocol import asyncapi
from protocol.commands import Command
from protocol.components import json_schema, members, tag_of
from protocol.consumers import Consumers
from protocol.drafts import Drafts
from protocol.flat_jobs import KnownMessage
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.reuse import Reuse
from protocol.spending import Spending

FOLDER = Path(__file__).parent
FRAMES = FOLDER.parent / "tests" / "protocol" / "golden"

_TYPE_NAMES = {
    tag_of(kind): kind.__name__
    for union in (Command, OperatorCommand, Reply, KnownMessage, Spending, Reuse, Drafts, Consumers)
    for kind in members(union)
}


def type_name(frame: dict[str, Any]) -> str:
    """The name of the type that a JSON message claims to be.

    Raises:
        KeyError: it claims to be none of this protocol.
    """
    return _TYPE_NAMES[frame.get("cmd") or frame.get("type") or next(iter(frame))]


def documents(frames: Path) -> dict[str, str]:
    """File name -> text of each derived document."""
    examples: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
    for file in sorted(frames.glob("*.json")):
        frame = json.loads(file.read_bytes())
        examples[type_name(frame)].append((file.stem, frame))
    return {"schema.json": _text(json_schema()), "asyncapi.json": _text(asyncapi.document(examples))}


def _text(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _stale(texts: dict[str, str]) -> list[str]:
    """Names of the committed documents that differ from the derived ones."""
    return [
        name
        for name, text in texts.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Exit code 1 where `--check` finds a document that is not current."""
    parser = argparse.ArgumentParser(prog="python -m protocol.schema", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the documents")
    mode.add_argument("--check", action="store_true", help="exit 1 where a document is not current")
    parser.add_argument("--frames", type=Path, default=FRAMES, help="folder of the golden frames")
    options = parser.parse_args()
    texts = documents(options.frames)
    if options.write:
        for name, text in texts.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    elif stale := _stale(texts):
        sys.exit(f"not current: {', '.join(stale)}; run python -m protocol.schema --write")


if __name__ == "__main__":
    main()
