"""What the scorer of the pocket model can judge of a text, and which words it cannot. Pure module.

A text is cut at its punctuation into clauses. The background, places and styles are taken out first; what is left has
to be one noun phrase whose head is a known kind. A word that is not known takes with it the part that it belongs to: a
modifier or a prepositional phrase alone ("in Paris"), the whole clause where it may change what the known words mean: a
negation, an alternative, a number above three, two things in relation, a known word inside another thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import takewhile

from agents.pocket.language.filler import FILLER, PURPOSES
from agents.pocket.language.grounds import Ground, take_ground
from agents.pocket.language.lexicon import Sort, Token, phrases, tokens
from agents.pocket.vocabulary import COMMON, UNKNOWN, plural

MODEL = "pocket"
"""The model whose words these are, and whose pictures its scorer judges."""

MAX_CHARS, MAX_CLAUSE, MAX_PHRASE = 8000, 200, 120
"""Characters of a text and tokens of a clause that are read: a longer one is not judged. Characters of a phrase that is
named."""

NEAR, NEAR_SHORT, SHORT = 0.75, 0.65, 4
"""Least similarity, by difflib, of a word that is offered for another; of short words one letter is a larger part."""

_HOLLOW: frozenset[Sort] = frozenset({"filler", "det", "be", "mark"})
"""Sorts that say nothing by themselves."""

_SIDES = (
    "above", "below", "behind", "beneath", "underneath", "under", "inside", "outside", "up", "down", "over", "out",
)  # fmt: skip
"""Prepositions that say something without a noun, such as from where a thing is seen."""

_SPOILING: frozenset[Sort] = frozenset({"not", "or", "many"})
"""Sorts that change what the known words beside them mean."""


Placed = tuple[int, Token]
"""A token with its place in the text."""


@dataclass(frozen=True)
class Reading:
    """What a text says in the scorer's world. `judged` is that as one plain sentence, null where it names no kind that
    can be judged; `not_judged` are the words that say something else, in their order."""

    judged: str | None
    not_judged: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class _Draft:
    """A reading in the making."""

    said: dict[str, str] = field(default_factory=dict[str, str])
    lost: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    spoilt: bool = False
    uncounted: Placed | None = None
    """A plural, which needs a number."""

    def say(self, attribute: str, place: int, token: Token) -> None:
        """Take what a token says; a second, other word for the same attribute leaves it unjudged."""
        if self.said.setdefault(attribute, token.name) != token.name:
            self.lose([(place, token)])

    def lose(self, part: Iterable[tuple[int, Token]]) -> None:
        """Leave a part unjudged, without the words at its ends that say nothing."""
        kept = list(part)
        while kept and kept[0][1].sort in (*_HOLLOW, "and", "prep", "rel") and kept[0][1].text not in _SIDES:
            kept.pop(0)
        while kept and kept[-1][1].sort in (*_HOLLOW, "and", "of", "rel"):
            kept.pop()
        if kept:
            self.lost.append((kept[0][0], _cut(" ".join(token.text for _, token in kept if token.text))))


_CONDITIONS = {"if", "when", "unless", "until", "whether"}
_OWNERS = {"my", "our", "your"}
_PICTURES = {"picture", "pictures", "image", "images", "photo", "photos", "version", "versions", "variants"}
_WANTING = {"want", "wants", "wanted", "need", "needs", "ordered", "requested", "requests", "orders", "asks", "asked"}


def read(text: str) -> Reading:
    """What of the text the scorer can judge."""
    if len(text) > MAX_CHARS:
        return Reading(None, (_cut(text[:MAX_CHARS]),))
    draft = _Draft()
    rest, ground = take_ground(list(enumerate(_without_number_of_pictures(tokens(text)))))
    _say_ground(draft, ground)
    clauses = _clauses(rest)
    places = {token.name for _, token in rest if token.sort == "place"}
    heads = [number for number, clause in enumerate(clauses) if _kinds(clause) and not _sorts(clause) & {"not"}]
    draft.spoilt = len(places) > 1 or any(token.sort == "or" or token.text in _CONDITIONS for _, token in rest)
    for number, clause in enumerate(clauses):
        if number in heads[:1]:
            _read_subject(draft, clause)
        elif number in heads:
            _read_repetition(draft, clause)
        else:
            _read_aside(draft, clause, before=not heads or number < heads[0])
    return _finish(draft, text)


@lru_cache(maxsize=1024)
def nearest_known(word: str) -> str | None:
    """The known word that a stranger is probably meant to be; null for what is a word of its own."""
    if len(word) < 3 or word in _own_words():
        return None
    cutoff = NEAR_SHORT if len(word) <= SHORT else NEAR
    return next(iter(get_close_matches(word, _known_words(), n=1, cutoff=cutoff)), None)


@cache
def _known_words() -> tuple[str, ...]:
    sorts = {"kind", "plural", "colour", "style", "size"}
    return tuple(sorted({" ".join(words) for words, (sort, _) in phrases().items() if sort in sorts}))


@cache
def _own_words() -> frozenset[str]:
    known = (word for words in phrases() for word in words)
    return frozenset(known) | frozenset(word for phrase in (*COMMON, *UNKNOWN) for word in phrase.split())


def _finish(draft: _Draft, text: str) -> Reading:
    if draft.uncounted and "count" not in draft.said:
        draft.spoilt = True
        draft.lose([draft.uncounted])
    said = {} if draft.spoilt or "kind" not in draft.said else draft.said
    if said.get("count", "one") != "one" and "position" in said:
        # Two or three things have no place of their own.
        draft.lost.append((len(text), said.pop("position")))
    lost = tuple(words for _, words in sorted(draft.lost))
    if not said:
        return Reading(None, lost or ((_cut(text),) if text.strip() else ()))
    return Reading(sentence(said), lost, said)


def sentence(said: dict[str, str]) -> str:
    """What was said as the plain sentence that the scorer knows best."""
    kind, count = said["kind"], said.get("count", "one")
    words = [said[name] for name in ("size", "colour") if name in said]
    phrase = " ".join([*words, kind if count == "one" else plural(kind)])
    parts = [f"{count if count != 'one' else _article(phrase)} {phrase}"]
    if place := said.get("position"):
        parts.append("in the centre" if place == "centre" else f"on the {place}")
    if ground := said.get("background"):
        parts.append(f"on {_article(ground)} {ground} background")
    return ", ".join([" ".join(parts), *([said["style"]] if "style" in said else [])])


def _cut(phrase: str) -> str:
    plain = " ".join(phrase.split())
    return plain if len(plain) <= MAX_PHRASE else plain[: MAX_PHRASE - 1] + "…"


def _article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"


def _say_ground(draft: _Draft, ground: Ground) -> None:
    if ground.colour:
        draft.said["background"] = ground.colour
    for part in ground.lost:
        draft.lose(part)


def _without_number_of_pictures(text: list[Token]) -> list[Token]:
    """The tokens, where a number of pictures ("four images of") is no number of things."""
    found = list(text)
    for n, token in enumerate(text):
        following = takewhile(lambda one: one.sort == "filler", text[n + 1 : n + 4])
        if token.sort in ("count", "many") and any(_PICTURES & {*one.text.split()} for one in following):
            found[n] = Token(token.text, "filler")
    return found


def _clauses(rest: Sequence[Placed]) -> list[list[Placed]]:
    found: list[list[Placed]] = [[]]
    for place, token in rest:
        if token.sort == "mark":
            found.append([])
        else:
            found[-1].append((place, token))
    return [clause for clause in found if clause]


def _sorts(part: Iterable[Placed]) -> set[Sort]:
    return {token.sort for _, token in part}


def _kinds(part: Iterable[Placed]) -> list[Token]:
    return [token for _, token in part if token.sort in ("kind", "plural")]


def _spoil(draft: _Draft, clause: Iterable[Placed]) -> None:
    draft.spoilt = True
    draft.lose(clause)


def _read_subject(draft: _Draft, clause: list[Placed]) -> None:
    """The clause that names the kind."""
    at = next(n for n, (_, token) in enumerate(clause) if token.sort in ("kind", "plural"))
    clause, at = _without_purpose(*_without_client(clause, at))
    before, head, after = clause[:at], clause[at], clause[at + 1 :]
    ambiguous = len(clause) > MAX_CLAUSE or len(_kinds(clause)) > 1 or _sorts(clause) & _SPOILING
    hanging = clause[0][1].sort == "prep" and draft.lost
    if ambiguous or hanging or not _is_noun_phrase(before) or not _is_head(after):
        _spoil(draft, clause)
        return
    draft.say("kind", *head)
    draft.uncounted = head if head[1].sort == "plural" and head[1].name != "fish" else None
    _read_modifiers(draft, before)
    _read_complements(draft, after)


def _without_client(clause: list[Placed], at: int) -> tuple[list[Placed], int]:
    """The clause without who asks for the picture ("my boss wants"), and the place of its kind."""
    for n in range(at - 1, -1, -1):
        if clause[n][1].sort == "filler" and _WANTING & {*clause[n][1].text.split()}:
            return clause[n + 1 :], at - n - 1
    return clause, at


def _without_purpose(clause: list[Placed], at: int) -> tuple[list[Placed], int]:
    """The clause without what the picture is for ("for my website"), and the place of its kind."""
    for start, (_, token) in enumerate(clause):
        if token.sort != "for":
            continue
        stop = start + 1
        while stop < len(clause) and stop != at and clause[stop][1].sort in ("det", "filler", "unknown", "of"):
            stop += 1
        words = " ".join(token.text for _, token in clause[start + 1 : stop]).split()
        if words and (words[0] in _OWNERS or all(word in _purpose_words() for word in words)):
            return _without_purpose(clause[:start] + clause[stop:], at - (stop - start) if start < at else at)
    return clause, at


@cache
def _purpose_words() -> frozenset[str]:
    extra = ("a", "an", "the", "my", "our", "your", "his", "her", "their", "'s", "of", "new", "next")
    return frozenset(word for phrase in (*PURPOSES, *FILLER) for word in phrase.split()) | frozenset(extra)


def _is_noun_phrase(before: Sequence[Placed]) -> bool:
    """Whether what stands before the kind can belong to it: no other thing and no preposition leads to it."""
    sorts = [token.sort for _, token in before]
    strangers = [n for n, sort in enumerate(sorts) if sort == "unknown"]
    introduced = strangers and any(sort in ("det", "count") for sort in sorts[strangers[0] :])
    acting = len(strangers) > 1 and any(before[n][1].text.endswith("ing") for n in strangers[1:])
    leading = {sort for n, sort in enumerate(sorts) if sort in ("prep", "of", "rel") and not _is_framed(before, n)}
    return not (introduced or acting or leading or _colours_clash(before))


def _is_framed(before: Sequence[Placed], at: int) -> bool:
    """Whether a preposition only ties the medium to what it shows: "watercolour of a car", "in watercolour, a car"."""
    token = before[at][1]
    earlier = {one.sort for _, one in before[:at]}
    following = before[at + 1][1].sort if at + 1 < len(before) else "unknown"
    if token.sort == "of":
        return earlier - ({"colour"} if "style" in earlier else set()) <= {"style", "filler", "det", "size", "and"}
    if token.text == "with":
        return earlier <= {"style", "filler", "det", "and", "count"}
    return token.sort == "prep" and following in ("style", "place")


def _colours_clash(part: Sequence[Placed]) -> bool:
    return len({token.name for _, token in part if token.sort == "colour"}) > 1


def _is_head(after: Sequence[Placed]) -> bool:
    """Whether the kind is not the modifier of a noun behind it ("car park"), and takes no other thing beside it."""
    if after and after[0][1].sort == "unknown" and not _is_participle(after[0][1].text):
        return False
    for n, (_, token) in enumerate(after):
        following = [one.sort for _, one in after[n + 1 :]]
        if token.sort == "and" and ("unknown" in following or "count" in following):
            return False
        if token.sort == "place" and following[:1] == ["of"]:
            return False
    behind = [(n, token) for n, (_, token) in enumerate(after) if token.sort == "colour"]
    for n, _ in behind:
        phrase = _phrase_around(after, n)
        if "unknown" in _sorts(phrase) or "det" in _sorts(phrase[:1] if phrase[0][1].sort != "prep" else phrase[1:2]):
            return False
    return not _colours_clash(after)


def _phrase_around(after: Sequence[Placed], at: int) -> list[Placed]:
    """The tokens between the prepositions and conjunctions around a place, with the one that leads."""
    start = at
    while start > 0 and after[start][1].sort not in ("prep", "and", "rel", "be", "of"):
        start -= 1
    stop = at + 1
    while stop < len(after) and after[stop][1].sort not in ("prep", "and", "rel", "be", "of"):
        stop += 1
    return list(after[start:stop])


def _is_participle(word: str) -> bool:
    return word.endswith(("ing", "ed", "ly")) or word in ("blown", "broken", "torn", "bent", "made", "seen", "cut")


def _read_modifiers(draft: _Draft, before: list[Placed]) -> None:
    lost: list[Placed] = []
    for place, token in before:
        if token.sort == "unknown":
            lost.append((place, token))
        elif token.sort == "colour" and lost and lost[-1][0] == place - 1:
            # "dark blue": a word before a colour may make it another one.
            lost.append((place, token))
        else:
            if lost:
                draft.lose(lost)
            lost = []
            _say_token(draft, place, token)
    draft.lose(lost)


_ATTRIBUTES: dict[Sort, str] = {
    "colour": "colour", "style": "style", "size": "size", "place": "position", "count": "count",
}  # fmt: skip


def _say_token(draft: _Draft, place: int, token: Token) -> None:
    if attribute := _ATTRIBUTES.get(token.sort):
        draft.say(attribute, place, token)


def _read_complements(draft: _Draft, after: list[Placed]) -> None:
    """What follows the kind, phrase by phrase; one that holds a word that is not known is not judged."""
    for phrase in _complements(after):
        if "unknown" in _sorts(phrase) or _is_viewpoint(phrase):
            draft.lose(phrase)
        else:
            for place, token in phrase:
                _say_token(draft, place, token)


def _is_viewpoint(phrase: list[Placed]) -> bool:
    """Whether a phrase says from where, or where to, by prepositions alone: "from above", "upside down"."""
    return any(token.text in _SIDES for _, token in phrase) and not _sorts(phrase) & set(_ATTRIBUTES)


def _complements(after: list[Placed]) -> list[list[Placed]]:
    """Runs of tokens that a preposition or a conjunction begins; those that follow one another and hold strangers are
    one."""
    found: list[list[Placed]] = []
    for one in after:
        # "facing left": a bare side belongs to the word before it.
        bound = bool(found) and found[-1][-1][1].sort == "unknown" and one[1].text in ("left", "right")
        if (one[1].sort in ("prep", "and", "rel", "for", "style", "place") and not bound) or not found:
            found.append([])
        found[-1].append(one)
    merged: list[list[Placed]] = []
    for phrase in found:
        strange = "unknown" in _sorts(phrase)
        if strange and merged and "unknown" in _sorts(merged[-1]):
            merged[-1] += phrase
        else:
            merged.append(phrase)
    return merged


def _read_repetition(draft: _Draft, clause: list[Placed]) -> None:
    """A further clause that names a kind: the same thing again, or another thing, and then nothing can be judged."""
    sorts, kinds = _sorts(clause), _kinds(clause)
    same = len(kinds) == 1 and kinds[0].name == draft.said.get("kind")
    if not same or sorts & (_SPOILING | {"unknown", "and"}) or clause[0][1].text not in ("the", "this", "it", "its"):
        _spoil(draft, clause)
        return
    for place, token in clause:
        _say_token(draft, place, token)


def _read_aside(draft: _Draft, clause: list[Placed], *, before: bool) -> None:
    """A clause without a kind: attributes alone, filler, or something that is not known."""
    clause, _ = _without_purpose(clause, -1)
    sorts = _sorts(clause)
    leading = clause[0][1] if clause and not before else None
    another = leading is not None and leading.sort in ("det", "count") and leading.text not in ("all", "both")
    thing = another and sorts & {"unknown", "colour"}
    if sorts & _SPOILING or "unknown" in sorts or thing or _colours_clash(clause):
        if thing:
            draft.spoilt = True
        draft.lose(clause)
        return
    for place, token in clause:
        _say_token(draft, place, token)
