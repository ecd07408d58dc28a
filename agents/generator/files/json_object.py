"""A small JSON object from a stranger's folder."""

import json
from pathlib import Path
from typing import Any, cast

MAX_BYTES = 1 << 20


def read_object(file: Path) -> dict[str, Any] | None:
    """The content of a file, or null where there is none, or something else. diffusers writes `-Infinity`, which strict
    readers refuse."""
    try:
        if file.stat().st_size > MAX_BYTES:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None
