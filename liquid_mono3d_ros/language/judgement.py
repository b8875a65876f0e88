"""One claim × the facts → supported, contradicted or unsupported."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from liquid_mono3d_ros.language import lexicon
from liquid_mono3d_ros.language.claim import Claim
from liquid_mono3d_ros.records import Facts, Label, Quantity, Vector
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class VerifierSettings(Settings):
    """How far a claim may be from its fact."""

    tolerance_sigmas: float = setting(
        1.0, "a number may differ from its fact by this, besides its rounding", bounds=(0.0, 3.0)
    )
    coarsest: float = setting(
        0.15, "rounding away more than this share of a fact is no rounding", bounds=(0.0, 0.5)
    )
    about: float = setting(0.1, "'about' may be off by this share of the fact", bounds=(0.0, 0.5))
    level: float = setting(
        0.15, "a change of height surely smaller than this is level", unit="m", bounds=(0.0, 10.0)
    )
    slow: float = setting(
        0.87, "a mean speed surely below is slow", unit="m/s", bounds=(0.0, 100.0)
    )
    fast: float = setting(
        1.5, "a mean speed surely above is fast", unit="m/s", bounds=(0.0, 100.0)
    )
    small: float = setting(0.36, "a size surely below is small", unit="m", bounds=(0.0, 100.0))
    large: float = setting(0.64, "a size surely above is large", unit="m", bounds=(0.0, 100.0))


class Status(Enum):
    """What the facts say of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Verdict:
    """A claim, what the facts say of it, and the names of the facts that say so."""

    claim: Claim
    status: Status
    evidence: tuple[str, ...] = ()


def judge(claim: Claim, facts: Facts, settings: VerifierSettings) -> Verdict:
    """Hold one claim against the facts."""
    if claim.attribute == "unknown":
        names = [claim.value] if claim.value else []
        known = any(_is_known(getattr(facts, name)) for name in names)
        status = Status.CONTRADICTED if known else Status.SUPPORTED
        return Verdict(claim, status)
    candidates = list(_outcomes(claim, facts, settings))
    for name, holds in candidates:
        if holds is claim.sense:
            return Verdict(claim, Status.SUPPORTED, (name,))
    status = Status.CONTRADICTED if candidates else Status.UNSUPPORTED
    return Verdict(claim, status, tuple(name for name, _ in candidates))


def _outcomes(
    claim: Claim, facts: Facts, settings: VerifierSettings
) -> Iterable[tuple[str, bool]]:
    """Yield each known fact that a claim is about, and whether it holds, were it not denied."""
    attribute = claim.attribute
    if attribute == "track_id":
        yield attribute, claim.value == str(facts.track_id)
    elif attribute == "seen":
        yield "start", True
    elif attribute in ("shape", "object_class", "colour"):
        yield from _appearance(claim, facts)
    elif attribute in _DERIVED:
        yield from _DERIVED[attribute](claim, facts, settings)
    elif claim.numbers:
        yield from _numbers(claim, facts, settings)
    else:
        fact = getattr(facts, attribute, Label())
        if isinstance(fact, Label) and fact.known:
            yield attribute, _same(fact.value, claim.value)


def _appearance(claim: Claim, facts: Facts) -> Iterable[tuple[str, bool]]:
    """A noun may be the class or the shape; "an orange" may be a colour or a class."""
    names = ["shape", "object_class"]
    if claim.attribute == "colour":
        names = ["colour", "object_class"]
    known = [(name, getattr(facts, name).value) for name in names if getattr(facts, name).known]
    own = [
        (name, value)
        for name, value in known
        if name == claim.attribute or _same(value, claim.value)
    ]
    if claim.sense:
        yield from ((name, _same(value, claim.value)) for name, value in own)
    elif own:  # denied: none of them may be it
        yield own[0][0], any(_same(value, claim.value) for _, value in own)


def _numbers(claim: Claim, facts: Facts, settings: VerifierSettings) -> Iterable[tuple[str, bool]]:
    if not claim.sense and not _is_one_or_more(claim):
        return  # "not 3 m" says too little to be checked
    if claim.attribute == "displacement":
        axis = "xyz".index(claim.value)
        parts: tuple[Quantity, ...] = (facts.displacement[axis],)
    else:
        fact = getattr(facts, claim.attribute, Quantity())
        parts = fact if isinstance(fact, tuple) else (fact,)
    if not all(isinstance(part, Quantity) and part.known for part in parts):
        return
    exact = claim.attribute.startswith("num_")
    yield (
        claim.attribute,
        all(
            _is_near(number, half, part, claim.how, settings, exact=exact)
            for number, half, part in zip(claim.numbers, claim.half_steps, parts, strict=True)
        ),
    )


def _is_near(
    number: float,
    half_step: float,
    fact: Quantity,
    how: str,
    settings: VerifierSettings,
    *,
    exact: bool,
) -> bool:
    """Return whether a number says a fact, within its sigma and the rounding of the number."""
    if exact:
        off = number - round(fact.value)
        slack = settings.tolerance_sigmas * fact.sigma if how == "about" else 0.0
    else:
        off = number - fact.value
        rounding = min(half_step, settings.coarsest * abs(fact.value))
        slack = settings.tolerance_sigmas * fact.sigma + rounding * (1 + 1e-9)
        slack += settings.about * abs(fact.value) if how == "about" else 0.0
    if how == "at least":
        return off <= slack
    return off >= -slack if how == "at most" else abs(off) <= slack + 1e-9 * abs(fact.value)


def _is_one_or_more(claim: Claim) -> bool:
    return (
        claim.attribute.startswith("num_") and claim.how == "at least" and claim.numbers == (1.0,)
    )


def _speed(claim: Claim, facts: Facts, settings: VerifierSettings) -> Iterable[tuple[str, bool]]:
    """A speed that does not say which: the mean or the largest."""
    for name in ("speed_mean", "speed_max"):
        yield from _numbers(replace(claim, attribute=name), facts, settings)


def _height(claim: Claim, facts: Facts, settings: VerifierSettings) -> Iterable[tuple[str, bool]]:
    change = facts.height_change
    if change.known:
        yield "height_change", ("up" if change.value > 0 else "down") == claim.value
        return
    ends = facts.start_position[2], facts.end_position[2]
    if all(end.known for end in ends):
        most = abs(ends[1].value - ends[0].value) + 2 * math.hypot(ends[0].sigma, ends[1].sigma)
        if most <= settings.level:
            yield "end_position", claim.value == "level"


def _direction(
    claim: Claim, facts: Facts, settings: VerifierSettings
) -> Iterable[tuple[str, bool]]:
    if facts.direction.known:
        words = facts.direction.value.replace(",", "").split()
        yield "direction", claim.value in words
    elif claim.value in ("up", "down"):
        yield from _height(claim, facts, settings)


def _moving(claim: Claim, facts: Facts, settings: VerifierSettings) -> Iterable[tuple[str, bool]]:
    if facts.motion.known:
        yield "motion", facts.motion.value != "hover"
    moved = ("path_length", "speed_max", "speed_mean", "height_change")
    for name in moved:
        quantity: Quantity = getattr(facts, name)
        if quantity.known and quantity.value:
            yield name, True
    if facts.direction.known or any(part.known and part.value for part in facts.displacement):
        yield "displacement", True


def _word_of_scale(
    fact: Quantity, name: str, claim: Claim, ends: tuple[float, float], words: tuple[str, ...]
) -> Iterable[tuple[str, bool]]:
    """Yield the word for a quantity, if it is surely on one side of each border."""
    if not fact.known:
        return
    low, high = fact.value - 2 * fact.sigma, fact.value + 2 * fact.sigma
    surely = [
        word
        for word, begin, end in zip(words, (-math.inf, *ends), (*ends, math.inf), strict=True)
        if begin <= low and high <= end
    ]
    if surely:
        yield name, surely[0] == claim.value


def _speed_word(
    claim: Claim, facts: Facts, settings: VerifierSettings
) -> Iterable[tuple[str, bool]]:
    words = "slow", "medium", "fast"
    ends = settings.slow, settings.fast
    return _word_of_scale(facts.speed_mean, "speed_mean", claim, ends, words)


def _size_word(
    claim: Claim, facts: Facts, settings: VerifierSettings
) -> Iterable[tuple[str, bool]]:
    words = "small", "medium", "large"
    ends = settings.small, settings.large
    return _word_of_scale(facts.size, "size", claim, ends, words)


_DERIVED = {
    "speed": _speed,
    "height": _height,
    "direction": _direction,
    "moving": _moving,
    "speed_word": _speed_word,
    "size_word": _size_word,
}
"""What facts say without being named so."""


def _same(a: str, b: str) -> bool:
    return _plain(a) == _plain(b)


def _plain(word: str) -> str:
    word = word.lower()
    return lexicon.SYNONYMS.get(word, word)


def _is_known(fact: Quantity | Label | Vector) -> bool:
    return all(part.known for part in fact) if isinstance(fact, tuple) else fact.known
