"""One measurement a track, for a bank of several experts, of which a network may lead one.

Each expert judges the measurement by itself: its own surprise sets how far it distrusts it. The
network hears what its expert is about to do and says what to do otherwise (``advice``); the
experts are weighed by what each foretold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.advice import Advice, Evidence, Memory, invariants, move_output
from liquid_mono3d_ros.liquid.bank import (
    LOG_TWO_PI,
    collapse,
    collapse_bias,
    collapse_expert,
    correct,
    hedge,
    innovate,
    moments,
    surprise,
    weights,
)
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.liquid.experts import weigh
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.native_bank import Comparison

SHORTEST = 1e-3
"""Two measurements of one track are told to the network as at least so far apart, s."""


def enter_measurement(
    design: Design, predicted: Belief, measurement: Measurement, whole: tuple[Array, Array]
) -> tuple[Belief, Array]:
    """Correct every expert, and how far each is believed, with one measurement a track.

    Args:
        design: Of the filter.
        predicted: N tracks.
        measurement: N measurements.
        whole: Mean (N, 9) and covariance (N, 9, 9) of all experts together.

    Returns:
        The belief; the squared distance of the measurement over that of the gate, (N,).
    """
    if measurement.B.size:
        predicted = widen(predicted)
    bank, gate = design.bank, design.gate[measurement.z.shape[1]]
    alone = len(design.experts) == 1 and design.adviser is None
    if alone and not _by_kernel(design, measurement):
        d2 = surprise(*whole, measurement, collapse_bias(predicted)) / gate
        return correct(bank, predicted, measurement, np.maximum(d2, 1.0)), d2
    found = judge(design, predicted, measurement)
    if len(design.experts) > 1:
        predicted = replace(predicted, log_w=found.log_w)
    distrust = np.maximum(found.surprise / gate, 1.0)
    if design.adviser is None or not measurement.is_position:
        corrected = _correct(design, predicted, measurement, found, distrust)
    else:
        corrected = _correct_as_advised(design, predicted, measurement, found, distrust)
    return corrected, found.together / gate


def judge(design: Design, predicted: Belief, measurement: Measurement) -> Comparison:
    """Compare measurements with what every model and every expert foretold."""
    found = _compare(design, predicted, measurement)
    if _is_open(design) and measurement.is_position:
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
    if design.kernel is not None:
        return design.kernel.collapse(belief)[2:]
    return collapse(belief, _shares(design, belief))


def _collapse_each(design: Design, belief: Belief) -> tuple[Array, Array]:
    """Return means (N, E, 9) and covariances (N, E, 9, 9) of the experts."""
    if design.kernel is not None:
        means, covariances = design.kernel.collapse(belief)[:2]
    else:
        own = [collapse_expert(design.bank, belief, e) for e in range(len(design.experts))]
        means, covariances = (np.stack(part, axis=1) for part in zip(*own, strict=True))
    if _is_open(design):
        means[:, design.led], covariances[:, design.led] = _collapse_tilted(design, belief)
    return means, covariances


def _collapse_tilted(design: Design, belief: Belief) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of the led expert, its models weighed anew."""
    own = design.bank.spans[design.led]
    return moments(np.exp(_tilted(design, belief)), belief.x[:, own], belief.P[:, own])


def _tilted(design: Design, belief: Belief) -> Array:
    """Return the logarithms of the probabilities of the led expert's models, weighed anew."""
    log_mu = belief.log_mu[:, design.bank.spans[design.led]] + belief.tilt
    tilted: Array = log_mu - np.logaddexp.reduce(log_mu, axis=1)[:, None]
    return tilted


def led_by(design: Design, value: Array) -> Array | None:
    """Return a value a track (N,) for the models that the network leads, 0 for others: (N, M)."""
    if design.adviser is None:
        return None
    led: Array = value[:, None] * (design.bank.expert == design.led)
    return led


def _shares(design: Design, belief: Belief) -> Array | None:
    return weights(design.bank, belief) if len(design.experts) > 1 else None


def _by_kernel(design: Design, measurement: Measurement) -> bool:
    return design.kernel is not None and measurement.is_position


def _compare(design: Design, predicted: Belief, measurement: Measurement) -> Comparison:
    """Compare the measurements with what every model, every expert and all expected."""
    led = design.adviser is not None and measurement.is_position
    log_r = predicted.log_r if led else None
    if design.kernel is not None and measurement.is_position:
        return design.kernel.compare(predicted, measurement, log_r)
    bank, innovation = design.bank, innovate(predicted, measurement)
    per_model = None if log_r is None else led_by(design, log_r)
    weighed, losses, _ = hedge(bank, predicted, innovation, measurement, per_model)
    parts = [
        _mixture(predicted.log_mu[:, own], innovation.y[:, own], innovation.S[:, own])
        for own in bank.spans
    ]
    mean, covariance = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    alike = _squared_length(mean, covariance)
    together = _squared_length(*_mixture(predicted.log_w, mean, covariance))
    return Comparison(innovation, mean, covariance, alike, losses, together, weighed.log_w)


def _as_led(
    design: Design, predicted: Belief, measurement: Measurement, found: Comparison
) -> Comparison:
    """Judge the led expert by what its output foretold, not by the bank that runs by itself."""
    own = design.bank.spans[design.led]
    lead = predicted.lead[:, :3] + predicted.since[:, None] * predicted.lead[:, 3:]
    stretch = np.exp(predicted.log_scale[:, 0])[:, None, None, None]
    less, more = np.minimum(stretch, 1.0), np.maximum(stretch, 1.0) - 1.0
    S = less * found.innovation.S[:, own] + (1 - less) * measurement.R[:, None]
    S += more * predicted.P[:, own, :3, :3]  # either way it stays positive
    y = found.innovation.y[:, own] - lead[:, None]
    log_det = np.linalg.slogdet(S)[1] + y.shape[-1] * LOG_TWO_PI
    joint = _tilted(design, predicted) - (_squared_length(y, S) + log_det) / 2
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
    log_r, delta = (None, None) if advice is None else (advice.log_r, advice.delta)
    if design.kernel is not None and measurement.is_position:
        return design.kernel.correct(predicted, measurement, found, distrust, log_r, delta)
    bank = design.bank
    added = np.zeros_like(predicted.log_mu)
    if delta is not None:
        added[:, bank.spans[design.led]] = delta
    return correct(
        bank,
        predicted,
        measurement,
        distrust[:, bank.expert],
        innovation=found.innovation,
        log_r=None if log_r is None else led_by(design, log_r),
        delta=added,
    )


def _squared_length(y: Array, S: Array) -> Array:
    length: Array = (np.linalg.solve(S, y[..., None])[..., 0] * y).sum(axis=-1)
    return length


def _mixture(log_mu: Array, y: Array, S: Array) -> tuple[Array, Array]:
    """Return the innovation (N, D) and its covariance (N, D, D) of a mixture of models."""
    mu = np.exp(log_mu)
    mean = (mu[:, None] @ y)[:, 0]
    offset = y - mean[:, None]
    spread = (offset * mu[..., None]).swapaxes(-1, -2) @ offset
    return mean, np.einsum("nm,nmij->nij", mu, S) + spread


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
    distrust = distrust.copy()
    distrust[:, led] **= 1 - advice.openness
    if _is_open(design):
        corrected = _correct(design, predicted, measurement, found, distrust)
        corrected = replace(corrected, tilt=advice.delta)
        x, P = _collapse_tilted(design, corrected)
    else:
        corrected = _correct(design, predicted, measurement, found, distrust, advice)
        x, P = collapse_expert(bank, corrected, led)
    offsets = corrected.x[:, bank.spans[led]] - x[:, None]
    moved, _ = move_output(advice, evidence, memory, offsets, x, P)
    shift = (moved - x)[:, :6]
    return replace(
        corrected,
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
