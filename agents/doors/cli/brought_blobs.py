"""Files that a command brings: their pixels lie in the blob store, and the command names them by hash. Pure module."""

from protocol.commands import GenerateImages
from protocol.post import CorrectColour


def brought_blobs(command: GenerateImages) -> set[str]:
    """The blobs that a command names by their hash."""
    sources = [command.init_image, command.mask, *(control.image for control in command.controls)]
    sources += [reference.image for reference in command.references]
    sources += [step.towards for step in command.post if isinstance(step, CorrectColour)]
    return {source.blob for source in sources if source is not None and source.blob is not None}
