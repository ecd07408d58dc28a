"""What a plan says of how its pictures will be judged: words that nothing judges, and what `min_score` rests on. Pure
module."""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice

from agents.planner.planning.foreign_syntax import alternatives_of
from agents.pocket.language.lexicon import is_of_known_words
from agents.pocket.language.reading import MODEL, Reading, nearest_known, read
from protocol.commands import GenerateImages
from protocol.prompt_syntax import wanted_text
from protocol.quality import ANY_MODEL

MAX_TEXTS = 200
"""Texts of a command that are read."""

MAX_PHRASES = 8
"""Phrases that a warning names."""

TECHNICAL = "sharpness, noise, exposure and posterisation alone"


def judgement_notes(
    command: GenerateImages,
    model: str,
    scorers: Collection[str] | None,
    known: Sequence[str] = (),
    catalogue: Sequence[str] = (),
) -> list[str]:
    """Warnings about the judgement of a command's pictures; `scorers` are what QA announces, null where none does.
    `known` are words that an adapter adds to the model's, `catalogue` the prompts of one."""
    if model == MODEL and (scorers is None or MODEL in scorers):
        return list(_notes_of_texts(tuple(texts_of(command, catalogue)), tuple(known)))
    if scorers is None or ANY_MODEL in scorers:
        return []
    return [
        f"no scorer judges pictures of {model}: adherence and score are null, and min_score rests on {TECHNICAL}; "
        "to have one: bottega models pull siglip2, bottega models calibrate siglip2, then restart QA"
    ]


@lru_cache(maxsize=4)
def _notes_of_texts(texts: tuple[str, ...], known: tuple[str, ...]) -> list[str]:
    """Kept, as readings are, because each value of a sweep is planned with the same texts."""
    shown = (one for text in texts for one in alternatives_of(text))
    return _notes_of_world([reading_of(text) for text in islice(shown, MAX_TEXTS)], known)


@lru_cache(maxsize=2 * MAX_TEXTS)
def reading_of(text: str) -> Reading:
    """What can be judged of a text."""
    return read(wanted_text(text))


def texts_of(command: GenerateImages, catalogue: Sequence[str] = ()) -> list[str]:
    """What QA will look for in the pictures, as far as the command says it itself."""
    swept = command.sweep.values if command.sweep else {}
    if command.regions:
        return [region.prompt for region in command.regions]
    if prompts := swept.get("prompt") or catalogue or command.prompts:
        return [str(text) for text in prompts[:MAX_TEXTS]]
    briefs = [str(text) for text in swept.get("brief", [])] or [command.brief or ""]
    subjects = command.subjects or [""]
    texts = (", ".join(filter(None, (subject, brief))) for subject in subjects for brief in briefs)
    return [text for text, _ in zip(texts, range(MAX_TEXTS), strict=False) if text]


def _notes_of_world(readings: Sequence[Reading], known: Sequence[str]) -> list[str]:
    strange = list(dict.fromkeys(words for reading in readings for words in reading.not_judged))
    unjudged = sum(reading.judged is None for reading in readings)
    if not strange:
        return []
    foreign = [words for words in strange if not _is_known(words, known)]
    unknown = [words for words in foreign if not is_of_known_words(words)]
    unjudgeable = [words for words in foreign if is_of_known_words(words)]
    notes = [f"{MODEL} does not know these words: {_listing(unknown)}"] if unknown else []
    notes += [f"these cannot be judged in a picture: {_listing(unjudgeable)}"] if unjudgeable else []
    if unjudged == len(readings):
        return [*notes, f"nothing of the prompt can be judged: there is no score, and min_score rests on {TECHNICAL}"]
    if unjudged:
        return [
            *notes,
            f"{unjudged} of {len(readings)} prompts cannot be judged: their pictures get no score, and min_score rests "
            f"on {TECHNICAL}",
        ]
    judged = list(dict.fromkeys(str(reading.judged) for reading in readings if reading.not_judged))
    return [*notes, f"score and min_score speak of the rest only: {_listing(judged)}"]


def _is_known(words: str, known: Iterable[str]) -> bool:
    """Whether an adapter makes the model know the words, though no scorer does."""
    return words.startswith("<") or any(words in trigger.lower() for trigger in known)


def _listing(phrases: Sequence[str]) -> str:
    shown = [f"{phrase}{_hint(phrase)}" for phrase in phrases[:MAX_PHRASES]]
    more = [f"{len(phrases) - MAX_PHRASES} more"] if len(phrases) > MAX_PHRASES else []
    return ", ".join([*shown, *more])


def _hint(phrase: str) -> str:
    near = [f"{word}: did you mean {known}?" for word in phrase.split() if (known := nearest_known(word))]
    return f" ({', '.join(near)})" if near else ""
