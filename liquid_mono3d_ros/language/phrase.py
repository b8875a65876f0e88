"""Numbers and lists in English."""

from __future__ import annotations

import math
from collections.abc import Sequence

from liquid_mono3d_ros.records import Quantity, Vector

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TIMES = ("never", "once", "twice")


def say_number(value: float, sigma: float) -> str:
    """Write a value to the first digit of its sigma, with at most three significant digits.

    Example:
        >>> say_number(1.23456, 0.04), say_number(12.3456, 0.0), say_number(-0.001, 0.02)
        ('1.23', '12.3', '0.00')
    """
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    if sigma > 0:
        of_sigma = -math.floor(math.log10(sigma))
        decimals = min(decimals, of_sigma) if abs(value) > sigma else of_sigma
    decimals = min(max(decimals, 0), 9)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0 makes −0 zero


def say_quantity(quantity: Quantity) -> str:
    """Write a known quantity without its unit and sign."""
    return say_number(abs(quantity.value), quantity.sigma)


def say_position(position: Vector) -> str:
    """Write a known position, m.

    Example:
        >>> say_position((Quantity(1.234, 0.01), Quantity(-2, 0.01), Quantity(0.5, 0.2)))
        '(1.23, -2.00, 0.5) m'
    """
    return f"({', '.join(say_number(part.value, part.sigma) for part in position)}) m"


def say_count(count: Quantity, noun: str) -> str:
    """Write a known count and what is counted.

    Example:
        >>> say_count(Quantity(1, 0), "camera"), say_count(Quantity(12, 0), "camera")
        ('one camera', '12 cameras')
    """
    number = round(count.value)
    word = _WORDS[number] if number < len(_WORDS) else str(number)
    return f"{word} {noun}{'' if number == 1 else 's'}"


def say_times(count: Quantity) -> str:
    """Write how often; "about", if the count is not sure.

    Example:
        >>> say_times(Quantity(1, 0)), say_times(Quantity(3, 0))
        ('once', 'three times')
    """
    number = round(count.value)
    if count.sigma > 0.2:
        return f"about {say_count(count, 'time')}"
    return _TIMES[number] if number < len(_TIMES) else say_count(count, "time")


def say_list(parts: Sequence[str]) -> str:
    """Join with commas and "and".

    Example:
        >>> say_list(["turned once", "stopped twice", "bounced once"])
        'turned once, stopped twice and bounced once'
    """
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def article(words: str) -> str:
    """Return the indefinite article of the words."""
    return "an" if words[:1].lower() in "aeiou" else "a"
