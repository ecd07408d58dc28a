"""Other spellings of flags, which are understood and not shown. Pure module."""

OTHER_SPELLINGS = {
    "catalogs": "catalogues",
    "catalogue": "catalogues",
    "catalog": "catalogues",
    "negative-prompt": "negative",
    "count": "number",
    "quantity": "number",
    "colors": "colours",
}


def the_one_name(token: str) -> str:
    """The flag's own name, for any of its spellings; each is given without its dashes."""
    return OTHER_SPELLINGS.get(token, token)
