"""The deterministic writer: prompt `index` of a batch, from the request, a style and a style reference.

The same request gives the same prompts in any process and on any page. Words are dealt like cards: a pool
is used up before a word of it comes again, and shuffled anew each time round, by the request's seed. Pure
module.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from agents.prompt.style import PLACEHOLDER, Style, StyleReference
from protocol.messages import Prompt, WritePrompts

COLOURS = (
    *("red", "orange", "yellow", "green", "teal", "blue"),
    *("purple", "magenta", "pink", "brown", "white", "black"),
)
"""Colours and backgrounds of a style that names none: basic colour words, which image models follow best."""

SIMILAR_COLOURS = (
    frozenset({"red", "orange", "brown"}),
    frozenset({"red", "magenta", "pink", "purple"}),
    frozenset({"teal", "green", "blue"}),
    frozenset({"yellow", "orange"}),
)
"""Colours that are easily confused: a thing and its background are not both from one family."""

SUBJECT = "{subject}"
"""Where a brief or a prompt wants one of the subjects."""

_CHOICE = re.compile(r"\{([^{}|\"\n]{0,500}(?:\|[^{}|\"\n]{0,500}){1,100})\}")
_BACKGROUND_WORDS = (" background", " backdrop")


def write_prompt(request: WritePrompts, style: Style, reference: StyleReference | None, index: int) -> Prompt:
    """The prompt of picture `index`, counted from 0 over the whole batch."""
    subject = _content_of(request, style, reference, index)
    words = _choose_words(request, style, reference, index) | {"subject": subject}
    return Prompt(
        text=_add_triggers(
            _fill_template(style.template_for(request.platform), words),
            () if request.prompts else request.triggers,
        ),
        negative=_join_negatives(request, style, reference, index) if request.negative_supported else "",
        subject=subject,
        template=style.name,
        template_version=style.version,
        style_reference=reference.name if reference else None,
    )


def _content_of(request: WritePrompts, style: Style, reference: StyleReference | None, index: int) -> str:
    """What the picture shows, with one word of each choice `{red|blue}`."""
    return _choose_alternatives(_scene_of(request, style, reference, index), index, request.seed)


def _scene_of(request: WritePrompts, style: Style, reference: StyleReference | None, index: int) -> str:
    """A prompt that was given, the brief, or a subject in a colour on a background."""
    if request.prompts:
        turn, place = divmod(index, len(request.prompts))
        return _fill_subject(request.prompts[place], request, turn)
    if request.brief and (not request.subjects or SUBJECT in request.brief):
        return _fill_subject(request.brief, request, index)
    subject = _pick(request.subjects or style.subjects, index, request.seed, "subject")
    if request.brief:
        return f"{subject}, {request.brief}"
    palette = tuple(colour.name for colour in reference.palette) if reference else ()
    colour = _pick(palette or style.words.get("colour", COLOURS), index, request.seed, "colour")
    branded = (reference.backgrounds or palette) if reference else ()
    grounds = branded or style.words.get("background", COLOURS)
    shown = [colour] if _is_bare_noun(subject) else subject.lower().split()
    apart = [ground for ground in grounds if not any(_are_similar(ground, word) for word in shown)]
    return _complete_scene(subject, colour, _pick(apart or grounds, index, request.seed, "background"))


def _fill_subject(text: str, request: WritePrompts, index: int) -> str:
    """The text with a subject in each of its places for one."""
    if not request.subjects or SUBJECT not in text:
        return text
    return text.replace(SUBJECT, _pick(request.subjects, index, request.seed, "subject"))


def _choose_alternatives(text: str, index: int, seed: int) -> str:
    """The text with one of the words of each choice, dealt in turn like all words; inner choices first."""
    number = 0
    while choice := _CHOICE.search(text):
        word = _pick(choice[1].split("|"), index, seed, f"choice {number}")
        text = f"{text[: choice.start()]}{word.strip()}{text[choice.end() :]}"
        number += 1
    return text


def _are_similar(one: str, other: str) -> bool:
    return one == other or any({one, other} <= family for family in SIMILAR_COLOURS)


def _complete_scene(subject: str, colour: str, background: str) -> str:
    """A bare noun gets a colour and a background; a phrase that somebody wrote gets a background if it names none."""
    ground = f"on {_with_article(background)} background"
    if _is_bare_noun(subject):
        return f"{_with_article(f'{colour} {subject}')} {ground}"
    return subject if any(word in subject.lower() for word in _BACKGROUND_WORDS) else f"{subject} {ground}"


def _is_bare_noun(text: str) -> bool:
    """One or two small words, no article, no colour: `mug`, `coffee mug`; not `a mug`, `red mug`, `Ada`."""
    words = text.split()
    return (
        1 <= len(words) <= 2
        and words[0] not in ("a", "an", "the", "one", "two", "three", "my", "our", *COLOURS)
        and text == text.lower()
        and all(word.replace("-", "").isalpha() for word in words)
    )


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[:1].lower() in tuple('aeiou') else 'a'} {phrase}"


def _choose_words(request: WritePrompts, style: Style, reference: StyleReference | None, index: int) -> dict[str, str]:
    """A word for each placeholder of the template; those of the reference go before the style's own."""
    pools: dict[str, Sequence[str]] = dict(style.words)
    if reference:
        pools["palette"] = (_enumerate_names([colour.name for colour in reference.palette]),)
        pools |= {name: pool for name, pool in (("mood", reference.mood), ("lens", reference.lens)) if pool}
    return {name: _pick(pool, index, request.seed, name) for name, pool in pools.items()}


def _fill_template(template: str, words: Mapping[str, str]) -> str:
    """The template with its words; a phrase between commas whose placeholder has no word is left out."""
    phrases = [
        PLACEHOLDER.sub(lambda match: words[match[1]], phrase.strip())
        for phrase in template.split(",")
        if all(name in words for name in PLACEHOLDER.findall(phrase))
    ]
    return ", ".join(phrases)


def _add_triggers(text: str, triggers: Sequence[str]) -> str:
    """The text after each trigger of a LoRA that it lacks: what stands at the end may be cut off."""
    return ", ".join([*(word for word in triggers if word.casefold() not in text.casefold()), text])


def _join_negatives(request: WritePrompts, style: Style, reference: StyleReference | None, index: int) -> str:
    """The negative prompts of command, style and reference, each phrase once."""
    own = _choose_alternatives(request.negative_prompt or "", index, request.seed)
    sources = (own, style.negative, reference.negative if reference else "")
    first: dict[str, str] = {}
    for phrase in (part.strip() for source in sources for part in source.split(",")):
        if phrase:
            first.setdefault(phrase.casefold(), phrase)
    return ", ".join(first.values())


def _enumerate_names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _pick(pool: Sequence[str], index: int, seed: int, name: str) -> str:
    turn, place = divmod(index, len(pool))
    return pool[_shuffle(len(pool), seed, name, turn)[place]]


@lru_cache(maxsize=256)
def _shuffle(size: int, seed: int, name: str, turn: int) -> tuple[int, ...]:
    """A permutation of `size` places, ordered by a hash: no library's random numbers can change it."""

    def rank(place: int) -> bytes:
        return hashlib.blake2b(f"{seed}/{name}/{turn}/{place}".encode(), digest_size=8).digest()

    return tuple(sorted(range(size), key=rank))
