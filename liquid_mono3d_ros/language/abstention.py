"""When to say "unknown": thresholds of confidence that keep a promised share of errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain
from liquid_mono3d_ros.records import Label


@dataclass(frozen=True)
class Threshold:
    """A label is stated when its confidence is at least ``confidence``.

    Attributes:
        confidence: Infinite when the calibration supports no statement.
        error: What was promised.
        stated: Share of the calibration that is stated.
        wrong: Share of the stated that is wrong; NaN when nothing is stated.
        num_calibration: How many labels it rests on.
    """

    confidence: float
    error: float
    stated: float
    wrong: float
    num_calibration: int

    def apply(self, value: str, confidence: float) -> Label:
        """Return the label, or unknown.

        Example:
            >>> threshold = Threshold(0.8, 0.02, 0.9, 0.01, 1000)
            >>> threshold.apply("red", 0.7).known, threshold.apply("red", 0.9).known
            (False, True)
        """
        return Label(value, confidence) if confidence >= self.confidence else Label()


def calibrate_error_rate(scores: Array, correct: Array, error: float) -> Threshold:
    """Return the lowest threshold at which the share "stated and wrong" of all stays small.

    Split conformal: with n calibration labels and k of them wrong at or above the threshold,
    (k + 1) / (n + 1) ≤ error. For one more label, exchangeable with them, the probability of being
    stated and wrong is then at most ``error``, on average over calibrations.

    Limits: it promises nothing once scenes differ from those of the calibration; look at the curve
    there. Of those *stated* the share of wrong ones is larger: see ``calibrate_precision``.

    Source: Angelopoulos et al., Conformal Risk Control, ICLR 2024; the loss is "stated and wrong".

    Args:
        scores: Confidences, (n,).
        correct: Whether each label was right, (n,) bool.
        error: Promised, 0 to 1.
    """
    scores, correct = _check(scores, correct, error)
    n = len(scores)
    allowed = math.floor(error * (n + 1) + 1e-9) - 1
    wrong = np.sort(scores[~correct])[::-1]  # descending
    if allowed < 0:
        return _threshold(scores, correct, math.inf, error)
    if len(wrong) <= allowed:
        return _threshold(scores, correct, float(scores.min(initial=math.inf)), error)
    above = scores[scores > wrong[allowed]]
    return _threshold(scores, correct, float(above.min(initial=math.inf)), error)


def calibrate_precision(
    scores: Array, correct: Array, error: float, *, doubt: float = 0.1, steps: int = 50
) -> Threshold:
    """Return the lowest threshold at which, of the labels stated, few are wrong: surely.

    Thresholds that state 1, 2, … of ``steps`` equal parts of the labels are tested from the
    highest down; each must reject "more than ``error`` of those stated are wrong" by the exact
    binomial test at level ``doubt``, and the first that does not ends the search. So the
    probability that a calibration returns a threshold with more than ``error`` wrong among those
    stated is at most ``doubt``.

    Thresholds that state so few labels that none could pass are not tested.

    Limits: as ``calibrate_error_rate``.

    Source: Angelopoulos et al., Learn then Test, 2021, section 4 (fixed sequence testing); Geifman
    and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.

    Args:
        scores: Confidences, (n,).
        correct: Whether each label was right, (n,) bool.
        error: Promised share of wrong labels among those stated, 0 to 1.
        doubt: Probability of a calibration that does not keep the promise.
        steps: How many thresholds are tested.
    """
    scores, correct = _check(scores, correct, error)
    n = len(scores)
    order = np.sort(scores)[::-1]
    best = math.inf
    for step in range(1, steps + 1):
        if n == 0:
            break
        level = float(order[math.ceil(n * step / steps) - 1])
        stated = scores >= level
        number, wrong = int(stated.sum()), int((stated & ~correct).sum())
        if (1 - error) ** number > doubt:
            continue  # even without a wrong one this few would not do
        if _binomial_below(wrong, number, error) > doubt:
            break
        best = level
    return _threshold(scores, correct, best, error)


def risk_coverage(scores: Array, correct: Array) -> tuple[Array, Array]:
    """Return how the share of wrong labels grows with the share that is stated.

    Labels of equal score are stated together.

    Returns:
        Coverage, ascending to 1, and risk among those stated, one each per distinct score.

    Example:
        >>> coverage, risk = risk_coverage(np.array([0.9, 0.8, 0.6, 0.5]), np.array([1, 1, 0, 1]))
        >>> coverage.tolist(), risk.round(2).tolist()
        ([0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 0.33, 0.25])
    """
    scores, correct = _check(scores, correct, 0.5)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)[: len(scores)]  # (n,): ends a tie
    number = np.arange(1, len(scores) + 1)
    wrong = np.cumsum(~correct[order])
    return number[last] / max(len(scores), 1), wrong[last] / number[last]


def area_under_risk(scores: Array, correct: Array) -> float:
    """Return the mean risk over all coverages: 0 for no error, smaller for a better order."""
    coverage, risk = risk_coverage(scores, correct)
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))


def _check(scores: Array, correct: Array, error: float) -> tuple[Array, Array]:
    scores = np.asarray(scores, dtype=float)
    n = check_shape("scores", scores, ("N",))["N"]
    check_finite("scores", scores)
    correct = np.asarray(correct)
    check_shape("correct", correct, (n,))
    if not 0 < error < 1:
        raise ValueError(
            complain("error", "between 0 and 1", f"{error:g}", "0.02 promises one in fifty.")
        )
    return scores, correct.astype(bool)


def _threshold(scores: Array, correct: Array, confidence: float, error: float) -> Threshold:
    stated = scores >= confidence
    wrong = float(np.mean(~correct[stated])) if stated.any() else math.nan
    share = float(stated.mean()) if len(scores) else 0.0
    return Threshold(confidence, error, share, wrong, len(scores))


def _binomial_below(most: int, number: int, chance: float) -> float:
    """Return the probability of at most ``most`` hits in ``number`` draws."""
    k = np.arange(most + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, number + 1)))])
    choose = log_factorial[number] - log_factorial[k] - log_factorial[number - k]
    logs = choose + k * math.log(chance) + (number - k) * math.log1p(-chance)
    return float(np.exp(logs).sum())
