"""Checks of arguments, and the one form of every error.

``<argument> must be <rule>; got <value>. <what to do>``
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def complain(argument: str, rule: str, got: str, cure: str) -> str:
    """Write an error's sentence."""
    return f"{argument} must be {rule}; got {got}. {cure}"


def check_shape(argument: str, value: Array, shape: tuple[int | str, ...]) -> dict[str, int]:
    """Check an array's shape against numbers and letters, and return what the letters stand for.

    A letter matches any length, and the same letter always the same length.

    Raises:
        TypeError: If ``value`` is no numpy array.
        ValueError: If the shape does not match.

    Example:
        >>> check_shape("uv", np.zeros((4, 2)), ("N", 2))
        {'N': 4}
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(
            complain(
                argument, "a numpy array", type(value).__name__, "Convert it with numpy.asarray."
            )
        )
    letters: dict[str, int] = {}
    matches = value.ndim == len(shape) and all(
        length == (letters.setdefault(want, length) if isinstance(want, str) else want)
        for length, want in zip(value.shape, shape, strict=True)
    )
    if not matches:
        rule = f"of shape ({', '.join(map(str, shape))})"
        raise ValueError(
            complain(argument, rule, f"shape {value.shape}", "Reshape it or check its axes.")
        )
    return letters


def check_finite(argument: str, value: Array) -> None:
    """Check that every element is a finite number.

    Raises:
        ValueError: If an element is NaN or infinite.
    """
    wrong = np.count_nonzero(~np.isfinite(value))
    if wrong:
        got = f"{wrong} of {value.size} elements NaN or infinite"
        raise ValueError(complain(argument, "finite", got, "Drop unknown values before the call."))


def check_covariance(argument: str, value: Array) -> None:
    """Check that the last two axes hold symmetric matrices with a non-negative diagonal.

    Raises:
        ValueError: If an element is not finite, a matrix not symmetric or a variance negative.
    """
    check_finite(argument, value)
    scale = np.abs(value).max(initial=0.0)
    if not np.allclose(value, np.swapaxes(value, -1, -2), rtol=1e-6, atol=1e-9 * scale):
        raise ValueError(
            complain(argument, "symmetric", "an asymmetric matrix", "Use (A + A.T) / 2.")
        )
    lowest = np.diagonal(value, axis1=-2, axis2=-1).min(initial=0.0)
    if lowest < 0:
        raise ValueError(
            complain(
                argument, "positive semi-definite", f"a variance of {lowest:g}", "Check its units."
            )
        )
