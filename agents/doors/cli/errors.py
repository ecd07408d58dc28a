"""How expected failures are reported: a sentence, a place, a hint and an exit code, without a traceback."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from agents.doors.cli.wording import Flags, in_words_of_flags, with_flags
from protocol.codec import encode
from protocol.errors import AcpError, Code, ErrorBody, is_disk_full
from protocol.replies import ErrorReply

ALL_STORED = 0
SOME_FAILED = 1
BAD_INPUT = 2
NO_WORKSHOP = 3
"""Nothing to talk to: no workshop runs here, or it does not answer."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class Failure(Exception):
    """The command cannot go on. `body` says why; `exit_code` is one of this file's constants; `alternatives` are
    what would work instead; `batch` is the one that was asked about."""

    def __init__(
        self, body: ErrorBody, exit_code: int, alternatives: Sequence[str] = (), batch: str | None = None
    ) -> None:
        super().__init__(body.message)
        self.body = body
        self.exit_code = exit_code
        self.alternatives = alternatives
        self.batch = batch


def bad_input(
    message: str, *, hint: str | None = None, path: str | None = None, code: Code = "invalid_value"
) -> Failure:
    """The person asked for something that cannot be done as asked."""
    return Failure(ErrorBody(code=code, message=message, path=path, hint=hint), BAD_INPUT)


def no_workshop(message: str, *, hint: str | None = None) -> Failure:
    """There is no workshop to talk to."""
    return Failure(ErrorBody(code="timeout", message=message, hint=hint, retryable=True), NO_WORKSHOP)


def failure_of_error(error: AcpError) -> Failure:
    """An error of the protocol: one that may work later means that nothing answered, any other that the input was
    bad."""
    return Failure(error.body, NO_WORKSHOP if error.retryable else BAD_INPUT)


def failure_of_reply(body: ErrorBody, batch: str | None = None) -> Failure:
    """An error that a workshop answered with, asked about `batch`."""
    return Failure(body, NO_WORKSHOP if body.retryable else BAD_INPUT, batch=batch)


@contextmanager
def report_failures(json: bool = False, flags: Flags | None = None) -> Generator[None]:
    """Turn expected failures into their text, or their JSON object on standard output, and an exit code. With `flags`
    the text names those in place of fields of the command: where a person typed flags, not JSON."""
    try:
        yield
    except AcpError as error:
        _exit_with(failure_of_error(error), json, flags)
    except Failure as failure:
        _exit_with(failure, json, flags)
    except OSError as error:
        _exit_with(_failure_of_os_error(error), json, flags)
    except UnicodeEncodeError as error:
        # What a terminal's bytes become that are no text.
        text = error.object.encode("utf-8", "backslashreplace").decode()[:80]
        _exit_with(
            bad_input(f"{text!r} is no text in UTF-8", hint="write it anew, in a terminal set to UTF-8"), json, flags
        )
    except ExceptionGroup as group:
        _exit_with(_only_failure(group), json, flags)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _failure_of_os_error(error: OSError) -> Failure:
    """A file that cannot be read or written; one that nobody can name is a defect, unless the disk is full."""
    if is_disk_full(error):
        place = error.filename or "a file could not be written"
        return bad_input(f"{place}: {error.strerror}", hint="make room, or name another place", code="disk_full")
    if error.filename is None:
        raise error
    return bad_input(f"{error.filename}: {error.strerror}", hint="make it writable, or name another place")


def explain(failure: Failure, flags: Flags | None = None) -> str:
    """A failure for a person: what, where, and what to do, on a line each."""
    body, alternatives = failure.body, failure.alternatives
    if flags is not None:
        body, alternatives = in_words_of_flags(body, flags), [with_flags(one, flags) for one in alternatives]
    lines = [f"error: {body.message}"]
    if body.path:
        lines.append(f"   at: {body.path}")
    if body.hint:
        lines.append(f"  try: {body.hint}")
    lines += [f"   or: {alternative}" for alternative in alternatives]
    return "\n".join(lines)


def _only_failure(group: ExceptionGroup) -> Failure:
    """The expected failure that ended a group of tasks; anything else is a defect and keeps its traceback."""
    match group.exceptions:
        case (Failure() as failure,):
            return failure
        case (AcpError() as error,):
            return failure_of_error(error)
        case (OSError() as error,) if is_disk_full(error):
            return _failure_of_os_error(error)
        case (ExceptionGroup() as inner,):
            return _only_failure(inner)
        case _:
            raise group


def _exit_with(failure: Failure, json: bool, flags: Flags | None) -> None:
    if json:
        sys.stdout.write(encode(ErrorReply(error=failure.body)).decode() + "\n")
    else:
        sys.stderr.write(explain(failure, flags) + "\n")
    raise SystemExit(failure.exit_code) from None
