"""Durable consumers: what a role asks the supervisor for, who alone may make them. Tagged by `type`. Pure module."""

from msgspec import Struct

from protocol.errors import ErrorBody


class PutConsumer(Struct, frozen=True, kw_only=True, tag_field="type", tag="PUT_CONSUMER"):
    """Let there be this durable consumer, with these settings. `ack_wait_s`: seconds after which a delivery that is
    not settled goes to another process."""

    stream: str
    durable: str
    filter_subjects: list[str]
    ack_wait_s: float


class ConsumerReply(Struct, frozen=True, kw_only=True, tag_field="type", tag="CONSUMER"):
    """When it was made, as the broker says it; or why there is none."""

    created: str | None = None
    error: ErrorBody | None = None


Consumers = PutConsumer | ConsumerReply
"""Everything that is said about durable consumers."""
