"""Everything that can be found out about one picture without knowing its batch. Blocking: runs in a thread."""

from dataclasses import dataclass, replace

from agents.picture import Undecodable, decode
from agents.qa.measures import Measures, measure
from agents.qa.score import Gate
from agents.qa.scorer import Scorer
from agents.qa.signature import signature
from protocol.messages import ScoreImage
from protocol.post import size_after


@dataclass(frozen=True)
class Look:
    """What was found. `measures` and `signature` are null where the bytes do not decode; `note` says why not."""

    gates: tuple[Gate, ...] = ()
    measures: Measures | None = None
    signature: bytes | None = None
    embedding: bytes | None = None
    note: str = ""


def look(data: bytes, message: ScoreImage, scorer: Scorer | None) -> Look:
    """Decode, compare with what was planned, measure, and ask the scorer whether the subject is there."""
    try:
        picture = decode(data)
    except Undecodable as error:
        return Look(gates=("undecodable",), note=f"{error.fault}: {error}")
    job = message.job
    gates: list[Gate] = []
    notes: list[str] = []
    if picture.media_type != message.picture.media_type:
        gates.append("wrong_format")
        notes.append(f"{picture.media_type}, announced {message.picture.media_type}")
    planned = size_after(job.post, job.width, job.height)
    if picture.size != planned:
        gates.append("wrong_size")
        notes.append("{}x{}, planned {}x{}".format(*picture.size, *planned))
    taken = measure(picture.rgb)
    embedding = None
    if scorer is not None:
        judgement = scorer.judge(picture.rgb, job.prompt.subject or job.prompt.text)
        taken = replace(taken, adherence=judgement.adherence)
        embedding = judgement.embedding
    return Look(tuple(gates), taken, signature(picture.rgb), embedding, "; ".join(notes))
