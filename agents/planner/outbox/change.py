"""What follows from a transition, as one value: the messages to send and the status after it."""

from dataclasses import dataclass, field

from protocol.messages import Control, Work
from protocol.results import GenerationStatus


@dataclass
class Change:
    """What follows from a transition. `work` is to be sent, the work of `other_changes` included. `resends` may have
    been sent before, each with a number that no earlier resend had. `control_messages` reach generators beside the
    queue. `status` is the batch's status afterwards, number `revision` of its statuses; `finished` says whether the
    batch ended. `filed` are blobs of pictures that were filed for the client. `other_changes` are those of batches that
    got the places in flight which became free."""

    work: list[Work] = field(default_factory=list[Work])
    resends: list[tuple[Work, int]] = field(default_factory=list[tuple[Work, int]])
    control_messages: list[Control] = field(default_factory=list[Control])
    status: GenerationStatus | None = None
    revision: int = 0
    client_id: str = ""
    finished: bool = False
    filed: list[str] = field(default_factory=list[str])
    other_changes: list["Change"] = field(default_factory=list["Change"])

    @property
    def all_changes(self) -> tuple["Change", ...]:
        """This one and those of other batches."""
        return (self, *self.other_changes)
