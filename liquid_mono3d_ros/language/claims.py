"""Text → claims: what each sentence says about an object, and what in it is not understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from liquid_mono3d_ros.language.claim import Claim
from liquid_mono3d_ros.language.grammar import Reader

LONGEST = 4000
"""Characters of a text that are read; the rest is not understood."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, where it stands and what it claims."""

    text: str
    span: tuple[int, int]
    claims: tuple[Claim, ...]


def read_sentences(text: str, names: Mapping[str, str] | None = None) -> list[Sentence]:
    """Split a text into sentences and read the claims of each.

    The vocabulary is closed: every word is part of a claim, or one of the few that claim nothing,
    or a claim of its own that nothing supports. So a sentence may be refused for a word too many,
    and is never passed for a word that was overlooked.

    Args:
        text: Written by anyone.
        names: Words that are known beyond the lexicon → their attribute, as the class that a
            detector gives.

    Example:
        >>> (sentence,) = read_sentences("A red ball fell 2 m.")
        >>> [(claim.attribute, claim.value or claim.numbers) for claim in sentence.claims]
        [('colour', 'red'), ('shape', 'ball'), ('height_change', (-2.0,))]
    """
    sentences = []
    for begin, end in split_sentences(text[:LONGEST]):
        claims = Reader(text[begin:end], dict(names or {})).read()
        moved = (
            replace(claim, span=(claim.span[0] + begin, claim.span[1] + begin)) for claim in claims
        )
        sentences.append(Sentence(text[begin:end], (begin, end), tuple(moved)))
    if len(text) > LONGEST:
        rest = Claim("other", "too long", span=(LONGEST, len(text)))
        sentences.append(Sentence(text[LONGEST:], (LONGEST, len(text)), (rest,)))
    return sentences


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return begin and end of each sentence: it ends at ``.``, ``!`` or ``?`` before a space.

    Example:
        >>> split_sentences("It is 0.5 m long. It fell.")
        [(0, 17), (18, 26)]
    """
    spans = []
    for match in re.finditer(r"\S(?:[^.!?\n]|[.!?](?!\s|$))*[.!?]*", text):
        begin, end = match.span()
        spans.append((begin, begin + len(text[begin:end].rstrip())))
    return spans
