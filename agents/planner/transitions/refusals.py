"""The refusal of a command that the state of its batch does not allow."""

from agents.planner.ledger.batches import Batch
from protocol.errors import Refused


def wrong_state(batch: Batch, what: str, hint: str | None = "see its STATUS") -> Refused:
    return Refused("wrong_state", f"{batch.hash} is {what}", path="$.hash", hint=hint)
