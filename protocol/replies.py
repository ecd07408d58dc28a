"""Replies: what a client or the operator gets back. Told apart by their first key, so none carries a tag.

The bodies are in the files of their subjects: `plans`, `results`, `capabilities`, `accounts`. Amounts of money are
dollars here, at the edge; inside they are integer micro-dollars. A figure that was not measured is null. Pure module.
"""

from collections.abc import Mapping
from typing import get_args

import msgspec
from msgspec import Struct

from protocol.accounts import ClientList, ClientReply, CostReport
from protocol.capabilities import CapabilityReport
from protocol.errors import AcpError, ErrorBody
from protocol.plans import GenerationPlan
from protocol.results import BatchList, GenerationResult, GenerationStatus


class WorkBody(Struct, frozen=True, kw_only=True):
    """Whether work is still expected; `reason` says why not."""

    expected: bool
    reason: str | None = None


class WorkReply(Struct, frozen=True, kw_only=True):
    """`{"work": {…}}`."""

    work: WorkBody


class ErrorReply(Struct, frozen=True, kw_only=True):
    """`{"error": {"code", "message", "path", "hint", "retryable"}}`."""

    error: ErrorBody

    @classmethod
    def of(cls, error: AcpError) -> "ErrorReply":
        """An error as the reply that a client gets."""
        return cls(error=error.body)


Reply = (
    GenerationPlan
    | GenerationStatus
    | GenerationResult
    | BatchList
    | CapabilityReport
    | ClientReply
    | ClientList
    | CostReport
    | WorkReply
    | ErrorReply
)

REPLY_TYPES: Mapping[str, type[Struct]] = {
    msgspec.structs.fields(kind)[0].encode_name: kind for kind in get_args(Reply)
}
"""First key of a reply -> its type."""
