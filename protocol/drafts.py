"""Drafts of prompts: what the planner asks the prompt agent for a plan that nobody keeps. Tagged by `type`. Pure
module."""

from msgspec import Struct

from protocol.messages import WritePrompts


class DraftPrompts(Struct, frozen=True, kw_only=True, tag_field="type", tag="DRAFT_PROMPTS"):
    """Which prompts would be written for this request? Its batch is in no ledger."""

    request: WritePrompts


class DraftedPrompts(Struct, frozen=True, kw_only=True, tag_field="type", tag="DRAFTED_PROMPTS"):
    """Their texts, in order, as many as fit one message."""

    prompts: list[str]


Drafts = DraftPrompts | DraftedPrompts
"""Everything that is said about drafts of prompts."""
