"""Templates of file names: their fields, and whether one can be used. Pure module."""

import re

from protocol.errors import BadCommand
from protocol.nearest import nearest

FIELDS = (
    *("date", "time", "timestamp", "client", "hash", "image_id", "index", "attempt", "section", "colour", "seed"),
    *("model", "style", "prompt", "score", "sweep"),
    *("catalogue", "wardrobe", "ui_style", "combo_id", "prompt_id", "short_prompt_id", "quality"),
)
"""Fields that a template may name in braces. The last seven are those of catalogues."""

CATALOGUE_TEMPLATE = "{wardrobe}/{catalogue}/{prompt_id}/{ui_style}/{combo_id}/{timestamp}-{short_prompt_id}-{quality}"
"""Where pictures of catalogues lie: the full prompt id in the folder, the short one in the file."""

MAX_LENGTH = 400
MAX_FOLDERS = 8

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_template(template: str, path: str) -> str:
    """The template, if names can be made from it. A `/` parts folders.

    Raises:
        BadCommand: too long or deep, an unknown field (with the nearest one), or a brace that belongs to none; at
            `path`, which says where the template was.
    """
    if not 1 <= len(template) <= MAX_LENGTH:
        raise BadCommand("invalid_value", f"a template has 1 to {MAX_LENGTH} characters", path=path)
    if template.count("/") > MAX_FOLDERS:
        raise BadCommand("invalid_value", f"a template has at most {MAX_FOLDERS} folders", path=path)
    for field in PLACEHOLDER.findall(template):
        if field not in FIELDS:
            raise BadCommand(
                "invalid_value", f"{{{field[:32]}}} is not a field of a name", path=path, hint=nearest(field, FIELDS)
            )
    if set("{}") & set(PLACEHOLDER.sub("", template)):
        raise BadCommand("invalid_value", "a brace without its partner", path=path, hint=CATALOGUE_TEMPLATE)
    return template
