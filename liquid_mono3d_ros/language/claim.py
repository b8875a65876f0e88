"""What a text may say: one claim about the object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One thing that a text says about the object.

    Attributes:
        attribute: A field of ``Facts``, or what the verifier knows by that name. "other" is a
            word that was not understood; "cause", "comparison", "order", "condition" and
            "prediction" are what no fact supports.
        value: The word said; empty for a number.
        numbers: The number said, SI units, or the three of a position.
        half_steps: Half of the last written digit of each.
        unit: SI unit of the numbers; empty for words and counts.
        how: "about", "at least", "at most" or empty.
        sense: False if the claim is denied: "is not red".
        hedged: Whether it was softened: "probably red". It counts all the same.
        span: Where it stands in the text.
    """

    attribute: str
    value: str = ""
    numbers: tuple[float, ...] = ()
    half_steps: tuple[float, ...] = ()
    unit: str = ""
    how: str = ""
    sense: bool = True
    hedged: bool = False
    span: tuple[int, int] = (0, 0)
