"""What follows from a transition, as one value: the messages to send and the status after it."""

from dataclasses import dataclass, field

from protocol.messages import Control, Work
from protocol.results import GenerationStatus


@dataclass
class Change:
    """What follows from a transition: work to send; work that may have been sent before, each with a number that no
    earlier resend had; what generators are told beside the queue; the status after it, by its place among the batch's
    statuses; whether the batch ended; and the changes of other batches, to which places in flight went that it left
    free. Their work is in `send` as well."""

    work: list[Work] = field(default_factory=list[Work])
    resends: list[tuple[Work, int]] = field(default_factory=list[tuple[Work, int]])
    control_messages: list[Control] = field(default_factory=list[Control])
    status: GenerationStatus | None = None
    revision: int = 0
    client_id: str = ""
    finished: bool = False
    other_changes: list["Change"] = field(default_factory=list["Change"])

    @property
    def all_changes(self) -> tuple["Change", ...]:
        """This one and those of other batches."""
        return (self, *self.other_changes)
