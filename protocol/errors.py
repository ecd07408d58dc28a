"""Errors that a client sees: a code, a sentence, where it was, and what to do next.

    AcpError                      code, message, path, hint, retryable
      BadMessage                  the bytes are not a message (invalid_json, too_large, bad_encoding)
      BadCommand                  the message is not a valid command (unknown_field, invalid_value, …)
      NotSupported                declared in the protocol, not built in this version
      Refused                     understood, and cannot be done as asked (not_installed, unknown_batch, …)
      Unavailable                 may work later (no_generator, timeout); retryable
        DiskFull                  may work once there is room

Pure module.
"""

import errno
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Code = Literal[
    "ambiguous_charge",
    "bad_encoding",
    "below_quality",
    "cancelled",
    "client_mismatch",
    "command_conflict",
    "delegate",
    "disk_full",
    "exceeds_budget",
    "expired",
    "internal",
    "invalid_json",
    "invalid_value",
    "missing_field",
    "no_generator",
    "not_installed",
    "not_supported",
    "out_of_memory",
    "pixels_missing",
    "queue_full",
    "suspended",
    "timeout",
    "too_large",
    "unknown_batch",
    "unknown_client",
    "unknown_command",
    "unknown_field",
    "unknown_image",
    "unknown_style",
    "unpriced",
    "wrong_state",
]


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What went wrong. `path` is a JSON path into the message, such as `$.requirements.quantity`. `retry_after_s` is
    there where the answer says when to ask again."""

    code: Code
    message: str
    path: str | None = None
    hint: str | None = None
    retryable: bool = False
    delegate_to: str | None = None
    retry_after_s: float | UnsetType = UNSET


class AcpError(Exception):
    """An error with its wire form. Subclasses only fix defaults; the code tells them apart."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        path: str | None = None,
        hint: str | None = None,
        retryable: bool = False,
        delegate_to: str | None = None,
        retry_after_s: float | UnsetType = UNSET,
    ) -> None:
        super().__init__(message)
        self.body = ErrorBody(
            code=code,
            message=message,
            path=path,
            hint=hint,
            retryable=retryable,
            delegate_to=delegate_to,
            retry_after_s=retry_after_s,
        )

    @property
    def code(self) -> Code:
        return self.body.code

    @property
    def retryable(self) -> bool:
        return self.body.retryable

    def __str__(self) -> str:
        where = f" at {self.body.path}" if self.body.path else ""
        hint = f" ({self.body.hint})" if self.body.hint else ""
        return f"{self.body.code}{where}: {self.body.message}{hint}"


class BadMessage(AcpError):
    """The bytes are not a message."""


class BadCommand(AcpError):
    """The message is not a valid command."""


class Refused(AcpError):
    """Understood, and cannot be done as asked."""


class NotSupported(AcpError):
    """Declared in the protocol and not built in this version."""

    def __init__(self, message: str, *, path: str | None = None, hint: str | None = None) -> None:
        super().__init__("not_supported", message, path=path, hint=hint)


class Unavailable(AcpError):
    """May work later."""

    def __init__(
        self, code: Code, message: str, *, hint: str | None = None, retry_after_s: float | UnsetType = UNSET
    ) -> None:
        super().__init__(code, message, hint=hint, retryable=True, retry_after_s=retry_after_s)


def is_disk_full(error: BaseException) -> bool:
    """Whether a write failed because a disk, or the share of it that one may use, is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, AcpError) and error.code == "disk_full" and error.retryable


class DiskFull(Unavailable):
    """There is no room to write what was asked for; nothing of it was kept."""

    def __init__(self) -> None:
        super().__init__(
            "disk_full", "a disk of the workshop is full", hint="make room on the disk of BOTTEGA_HOME, then try again"
        )
