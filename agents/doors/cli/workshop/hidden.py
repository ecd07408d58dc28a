"""Addresses without what is secret in them. Pure module."""

import re

HIDDEN = "***"

_LOGIN = re.compile(r"(?<=://)(?!/).*@", re.DOTALL)
_USER = re.compile(r"(?<=://)[^:/@\s]+(?=:)")
_PASSWORD = re.compile(
    r"(?<=[?&#])([^=&#]*(?:password|passwd|pwd|token|secret|key|sig|credential|auth)[^=&#]*)=[^&#]*",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """An address with `***` in place of its password; of a login without a password, which may be a token, nothing is
    left. What is no address stays as it is."""
    login = _LOGIN.search(text)
    if login is not None:
        user = _USER.search(text[: login.end()])
        text = f"{text[: login.start()]}{user[0] + ':' if user else ''}{HIDDEN}@{text[login.end() :]}"
    return _PASSWORD.sub(rf"\1={HIDDEN}", text) if "://" in text else text
