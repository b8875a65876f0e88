"""Reads the claims of one sentence, from left to right, by the words of the lexicon."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from liquid_mono3d_ros.language import lexicon
from liquid_mono3d_ros.language.claim import Claim
from liquid_mono3d_ros.language.numerals import Amount, find_amounts


class Reader:
    """Reads one sentence from left to right, always by the first rule that fits."""

    def __init__(self, text: str, names: dict[str, str]) -> None:
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        lower = lower.translate(_PLAIN)
        self.amounts = find_amounts(lower)
        self.text, self.origin = _mark_amounts(lower, self.amounts)
        self.names = _name_pattern(tuple(sorted(names, key=len, reverse=True)))
        self.attributes = {name.lower(): attribute for name, attribute in names.items()}
        self.claims: list[Claim] = []
        self.denied = self.hedged = self.future = False
        self.position = 0
        self.topics: list[str] = []
        self.unknown: tuple[int, int] | None = None
        self.known = 0
        self.said = 0

    def read(self) -> list[Claim]:
        """Return every claim."""
        self.future = re.search(rf"\b(?:{lexicon.FUTURE})\b", self.text) is not None
        while self.position < len(self.text):
            skip = _SPACE.match(self.text, self.position)
            if skip:
                if _BREAK.search(skip[0]):
                    self._end_clause()
                self.position = skip.end()
                continue
            self._read_one()
        self._end_clause()
        return self.claims

    def _read_one(self) -> None:
        name = self.names.match(self.text, self.position) if self.names else None
        if name:
            self.say(Claim(self.attributes[name[1]], name[1]), name)
            return
        for rule, read in _RULES:
            match = rule.match(self.text, self.position)
            if match:
                read(self, match)
                return
        self._not_understood()

    def say(self, claim: Claim, match: re.Match[str]) -> None:
        """Add a claim, in the sense and with the hedge that stand before it."""
        claim = replace(
            claim,
            sense=claim.sense is not self.denied,
            hedged=self.hedged,
            span=(self.origin[match.start()], self.origin[match.end()]),
        )
        if self.future and claim.attribute not in _OF_FUTURE:
            claim = replace(claim, attribute="prediction")
        self.claims.append(claim)
        joined = re.match(r",? (?:or|nor) ", self.text[match.end() :])
        self.denied = self.denied and joined is not None
        self.hedged = False
        self.position = self.said = match.end()

    def say_amounts(self, attributes: tuple[str, ...], match: re.Match[str]) -> None:
        """Add the claims of the amounts in a match.

        A time, place or speed right after an event is that of the event, which no fact tells.
        """
        between = self.text[self.said : match.start()]
        if (
            self.claims
            and self.claims[-1].attribute in _EVENTS
            and attributes[0] in _OF_EVENTS
            and not _JOINT.search(between)
            and not match[0].startswith(_SETS_OUT)
        ):
            attributes = ("event",) * len(attributes)
        numbers = [self.amounts[int(n)] for n in _AMOUNT.findall(match[0])]
        denied = self.denied
        for attribute, amount in zip(attributes, numbers, strict=True):
            if self.future and attribute == "end_position":
                attribute = "predicted_position"
            self.denied = denied
            self.say(_measure(attribute, amount, match, future=self.future), match)

    def _not_understood(self) -> None:
        """Take the words that no rule knows, and the shapes after them, as one name."""
        begin = end = self.position
        while True:
            word = _WORD.match(self.text, end)
            if not word or (end > begin and not self._is_strange(end)):
                break
            end = word.end()
            gap = re.match(r" (?=\S)", self.text[end:])
            if not gap:
                break
            end += 1
        match = re.compile(re.escape(self.text[begin:end].rstrip())).match(self.text, begin)
        if match is None:
            raise RuntimeError(f"lost the words at {begin} of {self.text!r}")
        article = re.search(rf"\b(?:an?|another)(?: (?:{_ADJECTIVES}))* $", self.text[:begin])
        self.say(Claim("object_class" if article else "other", match[0]), match)

    def _is_strange(self, position: int) -> bool:
        for rule, _ in _RULES:
            if rule.match(self.text, position):
                return rule.pattern in _SHAPES
        return True

    def _end_clause(self) -> None:
        """What is said to be unknown is what the clause named; a denial ends with its clause."""
        if self.unknown is not None:
            facts = dict.fromkeys(self.topics)
            begin, end = self.unknown
            span = (self.origin[begin], self.origin[end])
            if len(self.claims) > self.known:  # "it is not known to be red"
                self.claims.append(Claim("other", "what is not known", span=span))
            self.claims += [Claim("unknown", fact, span=span) for fact in facts or {"": None}]
        if self.denied:
            place = self.origin[min(self.position, len(self.text))]
            self.claims.append(Claim("other", "not", span=(place, place)))
        self.denied, self.unknown, self.topics = False, None, []


_PLAIN = {ord(a): b for a, b in zip("−–—‐‑’‘`“”⟨⟩\t\n\r\u00a0", "-,,--'''\"\"??    ", strict=True)}
_AMOUNT = re.compile(r"⟨[A-Z]([0-9]+)⟩")
_SPACE = re.compile(r"[\s,;:()\"'.!?-]+")
_BREAK = re.compile(r"[;:,]")
_WORD = re.compile(r"⟨[A-Z][0-9]+⟩|[^\s,;:()\"!?.]+")
_EVENTS = {"num_turns", "num_stops", "num_bounces", "num_gaps", "blinking", "flash"}
_OF_EVENTS = {"duration", "in", "end_position", "speed"}
_JOINT = re.compile(r"[,;:]|\band\b|\bbut\b")
_SETS_OUT = ("end", "last", "final", "finish", "arriv", "now", "current", "position", "duration")
_OF_FUTURE = {"predicted_position", "predicted_after", "other", *lexicon.UNFOUNDED}
_ADJECTIVES = (
    "|".join(
        pattern
        for attribute in ("colour", "marking", "size_word", "persistence", "blinking")
        for pattern in lexicon.LABELS[attribute].values()
    )
    + r"|[a-z]+-shaped"
)


@lru_cache(maxsize=64)
def _name_pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    words = "|".join(re.escape(name.lower()) for name in names if name)
    return re.compile(rf"(?:an? )?({words})\b") if words else None


def _mark_amounts(text: str, amounts: list[Amount]) -> tuple[str, list[int]]:
    """Put ⟨kind number⟩ in the place of each amount; return that, and where each character was."""
    parts: list[str] = []
    origin: list[int] = []
    at = 0
    for number, amount in enumerate(amounts):
        begin, end = amount.span
        mark = f"⟨{amount.kind}{number}⟩"
        parts += [text[at:begin], mark]
        origin += [*range(at, begin), begin, *[begin] * (len(mark) - 1)]
        at = end
    return "".join([*parts, text[at:]]), [*origin, *range(at, len(text) + 1)]


def _measure(attribute: str, amount: Amount, match: re.Match[str], *, future: bool) -> Claim:
    """Return the claim of an amount; the words around it may give its sign and its meaning."""
    groups = match.groupdict()
    sign = 1.0
    if attribute == "track_id":
        return Claim(attribute, amount.raw)
    if attribute == "height_change" and not amount.signed:
        sign = -1.0 if groups.get("down") else 1.0
    if attribute == "start_higher":  # it began higher: it ended lower
        attribute, sign = "height_change", 1.0 if groups.get("down") else -1.0
    if attribute in ("after", "in"):
        attribute = "predicted_after" if future else "duration" if attribute == "in" else "time"
    claim = Claim(
        attribute,
        numbers=tuple(sign * value for value in amount.values),
        half_steps=amount.half_steps,
        unit=amount.unit,
        how=amount.how,
    )
    if attribute == "displacement":
        way = (groups.get("way") or groups.get("way_too") or "").rstrip("s").removesuffix("ward")
        way = {"for": "forward", "back": "backward"}.get(way, way)
        axis = {"forward": 0, "backward": 0, "left": 1, "right": 1, "up": 2, "down": 2}[way]
        sign = -1.0 if way in ("backward", "right", "down") else 1.0
        claim = replace(claim, value="xyz"[axis], numbers=(sign * claim.numbers[0],))
    return claim


Read = Callable[[Reader, re.Match[str]], None]


def _rule(pattern: str, read: Read) -> tuple[re.Pattern[str], Read]:
    """Compile a pattern of whole words; {L} and its like stand for amounts."""
    for kind in "LVTPKN":
        pattern = pattern.replace(f"{{{kind}}}", f"⟨{kind}[0-9]+⟩")
    return re.compile(rf"(?:{pattern})(?![a-z0-9/'⟨])"), read


def _label(attribute: str, value: str, *, sense: bool = True) -> Read:
    def read(reader: Reader, match: re.Match[str]) -> None:
        reader.say(Claim(attribute, value, sense=sense), match)

    return read


def _shape(reader: Reader, match: re.Match[str]) -> None:
    said = match["shape"] or match["like"]
    reader.say(Claim("shape", said), match)


def _count(attribute: str) -> Read:
    def read(reader: Reader, match: re.Match[str]) -> None:
        groups = match.groupdict()
        count = next((groups[name] for name in ("count", "number") if groups.get(name)), "")
        reader.say(_count_claim(attribute, count, reader.amounts), match)
        if groups.get("gap"):
            amount = reader.amounts[int(_AMOUNT.findall(groups["gap"])[0])]
            reader.say(_measure("longest_gap", amount, match, future=False), match)

    return read


def _count_claim(attribute: str, count: str, amounts: list[Amount]) -> Claim:
    number = _AMOUNT.match(count)
    if number:
        amount = amounts[int(number[1])]
        return Claim(attribute, numbers=amount.values, half_steps=(0.5,), how=amount.how)
    if count in lexicon.EXACT:
        return Claim(attribute, numbers=(float(lexicon.EXACT[count]),), half_steps=(0.5,))
    at_least = float(lexicon.VAGUE.get(count, 1))
    return Claim(attribute, numbers=(at_least,), half_steps=(0.5,), how="at least")


def _not_done(attribute: str) -> Read:
    def read(reader: Reader, match: re.Match[str]) -> None:
        reader.say(Claim(attribute, numbers=(0.0,), half_steps=(0.5,)), match)

    return read


def _amounts(attributes: tuple[str, ...]) -> Read:
    return lambda reader, match: reader.say_amounts(attributes, match)


def _deny(reader: Reader, match: re.Match[str]) -> None:
    if reader.denied:  # twice denied is more than is read here
        reader.say(Claim("other", "not not"), match)
    reader.denied = True
    reader.position = match.end()


def _hedge(reader: Reader, match: re.Match[str]) -> None:
    reader.hedged = True
    reader.position = match.end()


def _skip(reader: Reader, match: re.Match[str]) -> None:
    reader.position = match.end()


def _topic(facts: tuple[str, ...]) -> Read:
    def read(reader: Reader, match: re.Match[str]) -> None:
        reader.topics += facts
        reader.position = match.end()

    return read


def _unknown(reader: Reader, match: re.Match[str]) -> None:
    reader.unknown, reader.known = match.span(), len(reader.claims)
    reader.position = match.end()


def _answer(value: str) -> Read:
    def read(reader: Reader, match: re.Match[str]) -> None:
        if match.start() == 0:
            reader.say(Claim("answer", value), match)
        else:
            reader.say(Claim("other", match[0]), match)

    return read


def _count_rules() -> list[tuple[re.Pattern[str], Read]]:
    rules = []
    for attribute, verb, noun in lexicon.COUNTS:
        count = rf"(?P<count>{lexicon.COUNT})"
        number = rf"(?P<number>{lexicon.COUNT})"
        seen_by = attribute == "num_cameras"  # else the sentence is about the cameras
        lead = r"(?:by|from|with|in|on|to|using) " if seen_by else r"(?:made |with |had |of )?"
        gap = r"(?:,? for(?: (?:up to|at most))? (?P<gap>{T}))?" if attribute == "num_gaps" else ""
        rules += [
            _rule(rf"{lexicon.NOT_DONE} (?:{verb})(?! {{K}})", _not_done(attribute)),
            _rule(rf"(?:is |was |were )?never (?:{verb})", _not_done(attribute)),
            _rule(rf"{lead}{number} (?:{noun}){gap}", _count(attribute)),
            _rule(rf"(?:{verb})(?: {count})?{gap}", _count(attribute)),
        ]
    return rules


def _all_rules() -> list[tuple[re.Pattern[str], Read]]:
    labels = [
        _rule(pattern, _label(attribute, value))
        for attribute, values in lexicon.LABELS.items()
        for value, pattern in values.items()
        if attribute != "shape"
    ]
    shapes = [
        _rule(pattern, _label("shape", value))
        for value, pattern in lexicon.LABELS["shape"].items()
    ]
    early = [
        *[_rule(pattern, _answer(value)) for value, pattern in lexicon.ANSWER.items()],
        _rule(lexicon.NOT_KNOWN, _unknown),
        _rule(lexicon.TURNED_SIDE, _label("other", "side of a turn")),
        _rule(r"(?:light|dark|bright|pale|deep)(?:er)? (?:[a-z]+)", _label("other", "shade")),
        _rule(r"(?P<shape>[a-z]+)-shaped|shaped like an? (?P<like>[a-z]+)", _shape),
        *[_rule(pattern, _amounts(names)) for names, pattern in lexicon.AMOUNTS],
    ]
    stop_and_go = [rule for rule in labels if rule[0].match("stops and starts")]
    late = [
        *[
            _rule(rf"{lexicon.FROM_A_SIDE} {pattern}", _label("direction", way))
            for way, pattern in lexicon.WAYS.items()
        ],
        *[_rule(pattern, _label("height", way)) for way, pattern in lexicon.RISES.items()],
        *[_rule(pattern, _label("direction", way)) for way, pattern in lexicon.WAYS.items()],
        *[_rule(pattern, _label(name, "")) for name, pattern in lexicon.UNFOUNDED.items()],
        _rule(lexicon.NEGATION, _deny),
        _rule(lexicon.HEDGE, _hedge),
        _rule(lexicon.FUTURE, _skip),
        *[_rule(pattern, _topic(facts)) for pattern, facts in lexicon.TOPICS.items()],
        _rule(lexicon.FILLER, _skip),
        _rule(r"{[LVTPKN]}".replace("{", "⟨").replace("}", "[0-9]+⟩"), _label("other", "number")),
    ]
    return [*early, *stop_and_go, *_count_rules(), *labels, *shapes, *late]


_RULES = _all_rules()
_SHAPES = {_rule(pattern, _skip)[0].pattern for pattern in lexicon.LABELS["shape"].values()}
