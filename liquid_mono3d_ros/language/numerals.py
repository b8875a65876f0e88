"""Numbers and units as people write them: text → amounts in SI units, each with its rounding."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: number for number, word in enumerate(_WORDS.split())}
TIMES = {"once": 1, "twice": 2, "thrice": 3}

UNITS: dict[str, tuple[tuple[str, float], ...]] = {
    "V": (
        (r"m/s|m s-1|mps|met(?:er|re)s? (?:per|a|each) second", 1.0),
        (r"cm/s|centimet(?:er|re)s? (?:per|a|each) second", 1e-2),
        (r"mm/s|millimet(?:er|re)s? (?:per|a|each) second", 1e-3),
        (r"km/h|kph|kmh|kilomet(?:er|re)s? (?:per|an|each) hour", 1 / 3.6),
        (r"mph|miles? (?:per|an|each) hour", 0.44704),
    ),
    "L": (
        (r"mm|millimet(?:er|re)s?", 1e-3),
        (r"cm|centimet(?:er|re)s?", 1e-2),
        (r"km|kilomet(?:er|re)s?", 1e3),
        (r"m|met(?:er|re)s?", 1.0),
        (r"feet|foot|ft", 0.3048),
        (r"inch(?:es)?", 0.0254),
    ),
    "T": (
        (r"ms|milliseconds?", 1e-3),
        (r"s|secs?|seconds?", 1.0),
        (r"min|minutes?", 60.0),
        (r"hours?", 3600.0),
    ),
}
"""Kind (speed, length, time) → pattern of a unit and its value in SI units."""

_SI = {"V": "m/s", "L": "m", "T": "s", "P": "m"}
_END = r"(?![a-z0-9/])"
_DIGITS = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_SPELT = rf"(?:{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})\b(?! (?:place|spot)\b)"
_NUMBER = rf"(?:{_DIGITS}|{_SPELT}(?: and a half\b)?|half an?\b)"
_NEAR = r"about|around|approximately|roughly|nearly|almost|close to|some|approx\.?|~"
_MORE = r"at least|more than|no less than"
_LESS = r"less than|fewer than|no more than|under|below"
_HOW = rf"(?:(?P<how>{_NEAR}|{_MORE}|{_LESS})\s*)?"
_ANY_UNIT = "|".join(
    sorted((unit for own in UNITS.values() for unit, _ in own), key=len, reverse=True)
)
_PLACE = re.compile(
    rf"[(\[]\s*({_DIGITS})\s*,\s*({_DIGITS})\s*,\s*({_DIGITS})\s*[)\]]\s*"
    rf"(?P<unit>(?:{'|'.join(unit for unit, _ in UNITS['L'])}){_END})?"
)
_MEASURE = re.compile(rf"{_HOW}(?P<number>{_NUMBER})[ -]?(?P<unit>{_ANY_UNIT}){_END}")
_OFTEN = re.compile(rf"{_HOW}(?:(?P<word>once|twice|thrice)|(?P<number>{_NUMBER}) times){_END}")
_BARE = re.compile(rf"{_HOW}(?P<number>{_NUMBER}){_END}")


@dataclass(frozen=True)
class Amount:
    """A number, or the three of a position, as somebody wrote it.

    Attributes:
        kind: V speed, L length, T time, P position, K how often, N a bare number.
        values: In SI units; three for a position.
        half_steps: Half of the last written digit, in the same units: what rounding may hide.
        how: "about", "at least", "at most" or empty.
        span: Where it stands in the text.
        signed: Whether a sign was written.
        raw: The number as it was written.
    """

    kind: str
    values: tuple[float, ...]
    half_steps: tuple[float, ...]
    how: str
    span: tuple[int, int]
    signed: bool = False
    raw: str = ""

    @property
    def unit(self) -> str:
        """SI unit; empty for counts."""
        return _SI.get(self.kind, "")


def find_amounts(text: str) -> list[Amount]:
    """Return every amount in a lower-case text, in order, none within another.

    Example:
        >>> [(a.kind, a.values, a.how) for a in find_amounts("about 65 cm, twice, for two s")]
        [('L', (0.65,), 'about'), ('K', (2.0,), ''), ('T', (2.0,), '')]
    """
    found: list[Amount] = []
    taken = [False] * len(text)
    for pattern, build in (
        (_PLACE, _place),
        (_MEASURE, _measure),
        (_OFTEN, _often),
        (_BARE, _bare),
    ):
        for match in pattern.finditer(text):
            begin, end = match.span()
            if any(taken[begin:end]) or _within_a_word(text, begin):
                continue
            taken[begin:end] = [True] * (end - begin)
            found.append(build(match))
    return sorted(found, key=lambda amount: amount.span)


def _within_a_word(text: str, begin: int) -> bool:
    return begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "._/")


def _place(match: re.Match[str]) -> Amount:
    scale = _scale(match["unit"])[1] if match["unit"] else 1.0
    numbers = [_read(match[group]) for group in (1, 2, 3)]
    values, halves = zip(*numbers, strict=True)
    return Amount(
        "P",
        tuple(scale * value for value in values),
        tuple(scale * half for half in halves),
        "",
        match.span(),
        signed=True,
        raw=match[0],
    )


def _measure(match: re.Match[str]) -> Amount:
    kind, scale = _scale(match["unit"])
    return _amount(kind, match, match["number"], scale)


def _often(match: re.Match[str]) -> Amount:
    if match["word"]:
        return Amount("K", (float(TIMES[match["word"]]),), (0.5,), _how(match), match.span())
    return _amount("K", match, match["number"])


def _bare(match: re.Match[str]) -> Amount:
    return _amount("N", match, match["number"])


def _amount(kind: str, match: re.Match[str], number: str, scale: float = 1.0) -> Amount:
    value, half = _read(number)
    signed = number[0] in "+-"
    return Amount(
        kind, (scale * value,), (scale * half,), _how(match), match.span(), signed, number
    )


def _how(match: re.Match[str]) -> str:
    how = match["how"] or ""
    if re.fullmatch(_MORE, how):
        return "at least"
    return "at most" if re.fullmatch(_LESS, how) else "about" if how else ""


def _scale(unit: str) -> tuple[str, float]:
    for kind, units in UNITS.items():
        for pattern, scale in units:
            if re.fullmatch(pattern, unit):
                return kind, scale
    raise KeyError(unit)


def _read(number: str) -> tuple[float, float]:
    """Return a number and half of its last digit."""
    if number.startswith("half"):
        return 0.5, 0.05
    word = number.partition(" ")[0]
    if word in NUMBER_WORDS:
        half = number.endswith("half")
        return NUMBER_WORDS[word] + (0.5 if half else 0.0), 0.25 if half else 0.5
    digits = number.replace(",", "")
    return float(digits), 0.5 * 10.0 ** -len(digits.partition(".")[2])
