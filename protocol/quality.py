"""By what pictures are judged: whose scorer, and what is held against `min_score`. Pure module."""

from protocol.messages import Assessment

ANY_MODEL = "*"
"""What QA announces for a scorer of every model that has none of its own."""

TECHNICAL_QUALITY = "technical_quality"
"""The measure that stands in for the score where nothing says whether a picture shows its prompt: the score of all
other measures together."""


def level_of(assessment: Assessment) -> float | None:
    """What an assessment holds against a bar: its score, else its technical quality; null where nobody looked."""
    return assessment.score if assessment.score is not None else assessment.measures.get(TECHNICAL_QUALITY)
