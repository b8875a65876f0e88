"""The step of the filter: N tracks ahead in time, and corrected with one measurement a track.

The bank may have several experts, of which a network may lead one. Each expert judges the
measurement by itself: its own surprise sets how far it distrusts it. The network hears what its
expert is about to do and says what to do otherwise (``advice``); the experts are weighed by what
each foretold. ``step`` is the whole of it: in C where the library is built, or as it stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.advice import Advice, Evidence, Memory, invariants, move_output
from liquid_mono3d_ros.liquid.bank import (
    LOG_TWO_PI,
    Innovation,
    collapse,
    collapse_expert,
    correct,
    hedge,
    innovate,
    mix,
    moments,
    propagate,
    weights,
)
from liquid_mono3d_ros.liquid.belief import Belief, unpack, widen
from liquid_mono3d_ros.liquid.covariance import invert
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.liquid.experts import weigh
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.native_bank import Told
from liquid_mono3d_ros.liquid.rows import ALL, Chosen
from liquid_mono3d_ros.liquid.smoother import cross_moments

SHORTEST = 1e-3
"""Two measurements of one track are told to the network as at least so far apart, s."""


@dataclass(frozen=True)
class Comparison:
    """N measurements of D numbers against what every model and every expert expected.

    Attributes:
        innovation: Of the models.
        mean: Innovation of each of E experts, (N, E, D) m.
        whole: Its covariance, (N, E, D, D) m².
        surprise: Its squared length, (N, E).
        loss: Minus the log density by each expert, (N, E).
        together: Squared length of the innovation of all experts together, (N,).
        log_w: Logarithm of the experts' weights after the measurement, (N, E).
    """

    innovation: Innovation
    mean: Array
    whole: Array
    surprise: Array
    loss: Array
    together: Array
    log_w: Array


def step(
    design: Design,
    belief: Belief,
    dt: Array | float | None,
    measurement: Measurement | None = None,
    rows: Chosen = ALL,
    *,
    linked: bool = False,
) -> Told:
    """Take N tracks ahead in time, and correct some of them.

    Args:
        design: Of the filter.
        belief: N tracks.
        dt: s, a number or (N,); None to stay where they are.
        measurement: Of the positions of the chosen tracks; None for none.
        rows: Which tracks are measured.
        linked: Whether to tell what links the state with the state before.

    Returns:
        What the filter says, and the belief after; strain and losses where something was measured.
    """
    if design.kernel is None:
        return _step(design, belief, dt, measurement, rows, linked=linked)
    seen = None
    if measurement is not None and rows is not ALL:
        seen = np.zeros(len(belief), dtype=bool)
        seen[rows] = True
        measurement = measurement.among(rows, len(belief))
    watched = design.watched
    return design.kernel.step(belief, dt, measurement, seen, linked=linked, watched=watched)


def _step(
    design: Design,
    belief: Belief,
    dt: Array | float | None,
    measurement: Measurement | None,
    rows: Chosen,
    *,
    linked: bool,
) -> Told:
    """Do it by numpy: the reference of the library."""
    told, bank, belief = {}, design.bank, unpack(belief)
    if dt is not None:
        mixed = mix(bank, belief, dt)
        mu = weights(bank, mixed.but(log_w=belief.log_w))  # the link needs both ends alike
        belief, cross = propagate(bank, mixed, dt, log_q=led_by(design, mixed.log_q))
        if linked:
            told["before"], told["before_P"] = before = collapse(belief, mu)
            told["cross"], biases = cross_moments(mixed, belief, cross, before[0], mu)
            told["bias_before"], told["bias_after"] = biases
    if measurement is not None:
        chosen = belief if rows is ALL else belief.take(rows)
        corrected, strain, losses = correct_experts(design, chosen, measurement)
        n, experts = belief.log_w.shape
        told["strain"], told["losses"] = np.full(n, np.nan), np.full((n, experts), np.nan)
        told["strain"][rows], told["losses"][rows] = strain, losses
        belief = belief.put(rows, corrected)
    x, P, stretch = output(design, belief)
    whole = P if design.adviser is None else collapse_all(design, belief)[1]
    return Told.of(belief, x=x, P=P, stretch=stretch, whole=whole, **told)


def enter_measurement(
    design: Design, predicted: Belief, measurement: Measurement
) -> tuple[Belief, Array]:
    """Correct every expert, and how far each is believed, with one measurement a track.

    Returns:
        The belief; the squared distance of the measurement over that of the gate, (N,).
    """
    if measurement.is_position:
        told = step(design, predicted, None, measurement)
        return unpack(told.belief), told.strain
    return correct_experts(design, unpack(predicted), measurement)[:2]


def correct_experts(
    design: Design, predicted: Belief, measurement: Measurement
) -> tuple[Belief, Array, Array]:
    """Return the belief after the measurements, their strain (N,) and the losses (N, E)."""
    if measurement.B.size:
        predicted = widen(predicted)
    gate = design.gate[measurement.z.shape[1]]
    found = judge(design, predicted, measurement)
    if len(design.experts) > 1:
        predicted = predicted.but(log_w=found.log_w)
    distrust = np.maximum(found.surprise / gate, 1.0)
    if design.adviser is None or not measurement.is_position:
        corrected = _correct(design, predicted, measurement, found, distrust)
    else:
        corrected = _correct_as_advised(design, predicted, measurement, found, distrust)
    return corrected, found.together / gate, found.loss


def judge(design: Design, predicted: Belief, measurement: Measurement) -> Comparison:
    """Compare measurements with what every model and every expert foretold."""
    found = _compare(design, predicted, measurement)
    if _tilts(design) and measurement.is_position:
        found = _as_led(design, predicted, measurement, found)
    return found


def output(design: Design, belief: Belief) -> tuple[Array, Array, Array]:
    """Return what the filter says: mean (N, 9), covariance (N, 9, 9) and its stretch (N, 9).

    The network moves and stretches what its expert says; the stretch is the factor by which this
    changes the standard deviations of the whole.
    """
    stretch = np.ones((len(belief), STATE))
    if design.adviser is None:
        return (*collapse_all(design, belief), stretch)
    stretch[:, :6] = np.exp(belief.log_scale / 2).repeat(3, axis=1)
    means, covariances = _collapse_each(design, belief)
    means[:, design.led, :6] += belief.shift
    covariances[:, design.led] *= stretch[:, :, None] * stretch[:, None]
    w = np.exp(belief.log_w)
    return (*moments(w, means, covariances), stretch ** w[:, design.led, None])


def collapse_all(design: Design, belief: Belief) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of all models of all experts."""
    return collapse(belief, _shares(design, belief))


def _collapse_each(design: Design, belief: Belief) -> tuple[Array, Array]:
    """Return means (N, E, 9) and covariances (N, E, 9, 9) of the experts."""
    each = [
        _collapse_tilted(design, belief)
        if e == design.led and _tilts(design)
        else collapse_expert(design.bank, belief, e)
        for e in range(len(design.experts))
    ]
    means, covariances = (np.stack(part, axis=1) for part in zip(*each, strict=True))
    return means, covariances


def _collapse_tilted(design: Design, belief: Belief) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of the led expert, its models weighed anew."""
    own = design.bank.spans[design.led]
    return moments(np.exp(tilted(design, belief)), belief.x[:, own], belief.P[:, own])


def tilted(design: Design, belief: Belief) -> Array:
    """Return the logarithms of the probabilities of the led expert's models, weighed anew."""
    log_mu = belief.log_mu[:, design.bank.spans[design.led]] + belief.tilt
    whole: Array = log_mu - np.logaddexp.reduce(log_mu, axis=1)[:, None]
    return whole


def led_by(design: Design, value: Array) -> Array | None:
    """Return a value a track (N,) for the models that the network leads, 0 for others: (N, M).

    None where there are none: no network, or one whose bank runs by itself.
    """
    if design.adviser is None or design.adviser.is_open:
        return None
    led: Array = value[:, None] * (design.bank.expert == design.led)
    return led


def _shares(design: Design, belief: Belief) -> Array | None:
    return weights(design.bank, belief) if len(design.experts) > 1 else None


def _compare(design: Design, predicted: Belief, measurement: Measurement) -> Comparison:
    """Compare the measurements with what every model, every expert and all expected."""
    bank, innovation = design.bank, innovate(predicted, measurement)
    log_r = led_by(design, predicted.log_r) if measurement.is_position else None
    weighed, losses, _ = hedge(bank, predicted, innovation, measurement, log_r)
    parts = [
        _mixture(predicted.log_mu[:, own], innovation.y[:, own], innovation.S[:, own])
        for own in bank.owned
    ]
    parts += parts[:1] * bank.guests
    mean, covariance = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    alike = _squared_length(mean, covariance)
    together = alike[:, 0]
    if len(bank.owned) > 1:
        together = _squared_length(*_mixture(predicted.log_w, mean, covariance))
    return Comparison(innovation, mean, covariance, alike, losses, together, weighed.log_w)


def _as_led(
    design: Design, predicted: Belief, measurement: Measurement, found: Comparison
) -> Comparison:
    """Judge the led expert by what its output foretold, not by its bank."""
    own = design.bank.spans[design.led]
    lead = predicted.lead[:, :3] + predicted.since[:, None] * predicted.lead[:, 3:]
    stretch = np.exp(predicted.log_scale[:, 0])[:, None, None, None]
    less, more = np.minimum(stretch, 1.0), np.maximum(stretch, 1.0) - 1.0
    S = less * found.innovation.S[:, own] + (1 - less) * measurement.R[:, None]
    S += more * predicted.P[:, own, :3, :3]  # either way it stays positive
    if not _is_open(design):
        S += np.expm1(predicted.log_r)[:, None, None, None] * measurement.R[:, None]
    y = found.innovation.y[:, own] - lead[:, None]
    S_inverse, log_det = invert(S)
    length = ((S_inverse @ y[..., None])[..., 0] * y).sum(axis=-1)
    joint = tilted(design, predicted) - (length + log_det + 3 * LOG_TWO_PI) / 2
    losses = found.loss.copy()
    losses[:, design.led] = -np.logaddexp.reduce(joint, axis=1)
    log_w, _ = weigh(predicted.log_w, losses)
    return replace(found, loss=losses, log_w=log_w)


def _correct(
    design: Design,
    predicted: Belief,
    measurement: Measurement,
    found: Comparison,
    distrust: Array,
    advice: Advice | None = None,
) -> Belief:
    """Correct every expert; ``distrust`` is that of each, (N, E)."""
    bank, added, log_r = design.bank, None, None
    if advice is not None:
        log_r, added = led_by(design, advice.log_r), np.zeros_like(predicted.log_mu)
        added[:, bank.spans[design.led]] = advice.delta
    return correct(
        bank,
        predicted,
        measurement,
        distrust[:, bank.expert],
        innovation=found.innovation,
        log_r=log_r,
        delta=added,
    )


def _squared_length(y: Array, S: Array) -> Array:
    length: Array = ((invert(S)[0] @ y[..., None])[..., 0] * y).sum(axis=-1)
    return length


def _mixture(log_mu: Array, y: Array, S: Array) -> tuple[Array, Array]:
    """Return the innovation (N, D) and its covariance (N, D, D) of a mixture of models."""
    mu = np.exp(log_mu)
    mean = (mu[:, None] @ y)[:, 0]
    offset = y - mean[:, None]
    spread = (offset * mu[..., None]).swapaxes(-1, -2) @ offset
    n, m, d, _ = S.shape
    return mean, (mu[:, None] @ S.reshape(n, m, d * d)).reshape(n, d, d) + spread


def _correct_as_advised(
    design: Design,
    predicted: Belief,
    measurement: Measurement,
    found: Comparison,
    distrust: Array,
) -> Belief:
    """Correct with the network's advice for its expert; ``distrust`` is that of each, (N, E)."""
    bank, led = design.bank, design.led
    evidence = _evidence(design, predicted, measurement, found)
    memory = Memory(
        predicted.hidden,
        predicted.memory[:, :3],
        predicted.memory[:, 3:],
        predicted.log_q,
        predicted.log_r,
    )
    advice, after = _ask(design, evidence, memory)
    heard = None if _is_open(design) else advice
    if heard is not None:
        distrust[:, led] **= 1 - heard.openness
    if _tilts(design):
        heard = heard and replace(heard, delta=np.zeros_like(advice.delta))
        corrected = _correct(design, predicted, measurement, found, distrust, heard)
        corrected = corrected.but(tilt=advice.delta)
        x, P = _collapse_tilted(design, corrected)
    else:
        corrected = _correct(design, predicted, measurement, found, distrust, heard)
        x, P = collapse_expert(bank, corrected, led)
    offsets = corrected.x[:, bank.spans[led]] - x[:, None]
    moved, _ = move_output(advice, evidence, memory, offsets, x, P)
    shift = (moved - x)[:, :6]
    return corrected.but(
        lead=shift,
        hidden=after.hidden,
        memory=np.concatenate((after.last, after.usual), axis=1),
        log_q=advice.log_q,
        log_r=advice.log_r,
        log_scale=advice.log_scale,
        shift=shift,
        tau=_mean_tau(design, evidence, memory),
        since=np.zeros(len(x)),
    )


def _is_open(design: Design) -> bool:
    return design.adviser is not None and design.adviser.is_open


def _tilts(design: Design) -> bool:
    return design.adviser is not None and design.adviser.tilts


def _ask(design: Design, evidence: Evidence, memory: Memory) -> tuple[Advice, Memory]:
    if design.adviser is None:
        raise ValueError(complain("adviser", "given", "None", "Load one for the liquid expert."))
    return design.adviser(evidence, memory)


def _evidence(
    design: Design, predicted: Belief, measurement: Measurement, found: Comparison
) -> Evidence:
    """Gather what the network is told of its expert."""
    own, R = design.bank.spans[design.led], measurement.R
    log_mu, mean = predicted.log_mu[:, own], found.mean[:, design.led]
    x = (np.exp(log_mu)[:, None] @ predicted.x[:, own])[:, 0]
    return Evidence(
        y=found.innovation.y[:, own],
        S=found.innovation.S[:, own],
        mean=mean,
        whole=found.whole[:, design.led],
        log_mu=log_mu,
        velocity=x[:, 3:6],
        acceleration=x[:, 6:],
        R=R,
        B=measurement.B if measurement.B.size else np.zeros_like(R),
        gravity=np.broadcast_to(design.bank.gravity, mean.shape),
        dt=np.maximum(predicted.since, SHORTEST),
    )


def _mean_tau(design: Design, evidence: Evidence, memory: Memory) -> Array:
    """Return the mean time constant of the cell, (N,) s; NaN while nobody asks."""
    if not design.watched or design.adviser is None:
        return np.full(len(evidence.dt), np.nan)
    heard = invariants(evidence, memory).astype(np.float32)
    tau: Array = design.adviser.step.time_constants(heard, memory.hidden).mean(axis=1)
    return tau.astype(np.float64)
