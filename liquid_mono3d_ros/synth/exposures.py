"""Pixels of many objects, each before its own rig of free-running cameras.

Every camera has its own phase, its own rate and jitter, and exposes when its clock, which may be
wrong, says so. The pixels of the other cameras are brought to the stamps of the first one by
linear interpolation, as ``geometry.timing`` does: with variance ``(1-w)² σ² + w² σ²`` and that of
the bend which a straight line ignores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.conditions import Conditions, draw
from liquid_mono3d_ros.synth.motions import Motions, draw_motions
from liquid_mono3d_ros.synth.random_rigs import MOST, Rigs, draw_rigs

BEFORE = 1
"""Images before the first instant and after the last, so that each is bracketed."""
GAP = 0.5
"""Length of a burst, s."""
DRIFT = 1e-4
"""Rate of a camera against the first one's, one sigma."""


@dataclass(frozen=True)
class Exposures:
    """N objects, up to C cameras each, K images of each camera; the objects stay near the origin.

    Attributes:
        motions: The objects.
        lead: Time of the motions at time zero of the stamps, (N,) s.
        rigs: As they are believed to be.
        true_rigs: As they are.
        sigma_px: Claimed pixel noise, (N,) px.
        stamps: By each camera's clock, (N, C, K) s; zero is the first instant.
        offsets: True time minus stamp, (N, C) s.
        uv: Noisy pixels, relative to the principal point, (N, C, K, 2) px.
        detected: (N, C, K) bool.
    """

    motions: Motions
    lead: Array
    rigs: Rigs
    true_rigs: Rigs
    sigma_px: Array
    stamps: Array
    offsets: Array
    uv: Array
    detected: Array

    @property
    def instants(self) -> Array:
        """Stamps of the first camera that give the instants of the points, (N, T) s."""
        return np.asarray(self.stamps[:, 0, BEFORE:-BEFORE])

    def truth(self, t: Array) -> tuple[Array, Array]:
        """Return positions and velocities, (N, T, 3), at times (N, T) of an exact clock."""
        return self.motions.at(t + self.lead[:, None])


@dataclass(frozen=True)
class Interpolated:
    """What the cameras see at the instants.

    Attributes:
        uv: Relative to the principal point, (N, C, T, 2) px; zero where not seen.
        variance: Of each coordinate, (N, C, T) px².
        velocity: Of ``uv``, (N, C, T, 2) px/s.
        seen: (N, C, T) bool.
    """

    uv: Array
    variance: Array
    velocity: Array
    seen: Array


def expose(
    family: Array,
    conditions: Conditions,
    calibration: Array,
    clock: Array,
    rng: np.random.Generator,
) -> Exposures:
    """Draw motions of the families (N,), their rigs and what the cameras see of them.

    Args:
        family: Index into ``FAMILIES``, (N,).
        conditions: What the recordings are like.
        calibration: Turn of each camera, one sigma per axis, (N,) rad.
        clock: Offset of each camera's clock, one sigma, (N,) s.
        rng: Source of everything drawn.
    """
    n = len(family)
    period = 1 / draw(conditions.rate, n, rng, log=True)
    stamps = _stamps(conditions, period, rng)
    offsets = clock[:, None] * rng.normal(size=(n, MOST))
    margin = 0.01 + np.abs(offsets).max(axis=1)
    lead = margin - stamps[..., 0].min(axis=1)
    duration = lead + stamps[..., -1].max(axis=1) + margin
    motions = draw_motions(family, duration, rng)
    sigma_px = draw(conditions.sigma_px, n, rng, log=True)
    way, _ = motions.at(duration[:, None] * np.linspace(0, 1, 9))
    rigs = draw_rigs(way, motions.radius, sigma_px, calibration, rng)
    true_rigs = rigs.turned(calibration[:, None, None] * rng.normal(size=(n, MOST, 3)))
    times = stamps + offsets[..., None] + lead[:, None, None]
    xyz, _ = motions.at(times.reshape(n, -1))
    uv, _ = true_rigs.project(xyz.reshape(*stamps.shape, 3))
    detected = true_rigs.inside(uv) & rigs.present[..., None]
    noise = (sigma_px * draw(conditions.noise, n, rng))[:, None, None, None]
    uv = np.nan_to_num(uv * rigs.focal[..., None, None]) + noise * rng.normal(size=uv.shape)
    detected &= ~_dropped(conditions, stamps, rng)
    return Exposures(motions, lead, rigs, true_rigs, sigma_px, stamps, offsets, uv, detected)


def interpolate(exposures: Exposures, conditions: Conditions) -> Interpolated:
    """Bring the pixels of all cameras to the instants.

    An image in which the object is missed is bridged by the ones beside it, two are not. The
    velocity of the first camera, which needs no interpolation, is that between the images beside.
    """
    stamps, instants, uv = exposures.stamps, exposures.instants, exposures.uv
    before, after = _bracket(exposures)
    seen = (before >= 0) & (after < stamps.shape[2])
    before, after = np.where(seen, before, 0), np.where(seen, after, 1)
    start, end = (np.take_along_axis(stamps, k, axis=2) for k in (before, after))
    uv_start, uv_end = (np.take_along_axis(uv, k[..., None], axis=2) for k in (before, after))
    span = end - start
    period = np.diff(stamps, axis=2).mean(axis=2, keepdims=True)
    w = (instants[:, None] - start) / span
    seen &= (span < 2.5 * period) & (w >= 0) & (w <= 1)
    bend = 0.5 * conditions.pixel_acceleration * w * (1 - w) * span * span
    variance = exposures.sigma_px[:, None, None] ** 2 * ((1 - w) ** 2 + w**2) + bend**2
    shift = uv_end - uv_start
    at = uv_start + w[..., None] * shift
    velocity = shift / span[..., None]
    inner = slice(BEFORE, -BEFORE)
    at[:, 0], variance[:, 0] = uv[:, 0, inner], exposures.sigma_px[:, None] ** 2
    seen[:, 0] = exposures.detected[:, 0, inner]
    beside = np.arange(BEFORE, stamps.shape[2] - BEFORE)
    later, earlier = beside + 1, beside - 1
    around = stamps[:, 0, later] - stamps[:, 0, earlier]
    velocity[:, 0] = (uv[:, 0, later] - uv[:, 0, earlier]) / around[..., None]
    return Interpolated(np.where(seen[..., None], at, 0.0), variance, velocity, seen)


def _stamps(conditions: Conditions, period: Array, rng: np.random.Generator) -> Array:
    """Return the stamps of every camera, (N, C, K) s; the first instant is at zero."""
    n, num = len(period), conditions.num_frames + 2 * BEFORE
    phase = rng.random((n, MOST, 1))
    rate = 1 + DRIFT * rng.normal(size=(n, MOST, 1))
    phase[:, 0], rate[:, 0] = 0.0, 1.0
    delay = np.clip(conditions.jitter * rng.normal(size=(n, MOST, num)), -0.3, 0.3)
    number = (np.arange(num) - BEFORE - phase) / rate + delay
    stamps = number * period[:, None, None]
    return np.asarray(stamps - stamps[:, :1, BEFORE : BEFORE + 1])


def _dropped(conditions: Conditions, stamps: Array, rng: np.random.Generator) -> Array:
    """Return the images that miss the object, alone or in bursts of all cameras, (N, C, K)."""
    n = len(stamps)
    chance = draw(conditions.dropout, n, rng)
    dropped = rng.random(stamps.shape) < chance[:, None, None]
    rate = draw(conditions.bursts, n, rng)
    length = stamps[:, 0, -1]
    count = rng.poisson(rate * length)
    for k in range(int(count.max(initial=0))):
        begin = (rng.random(n) * length)[:, None, None]
        inside = (stamps >= begin) & (stamps < begin + GAP)
        dropped |= inside & (count > k)[:, None, None]
    return np.asarray(dropped)


def _bracket(exposures: Exposures) -> tuple[Array, Array]:
    """Return the images with a detection just before and after each instant, (N, C, T).

    −1 and K where there is none.
    """
    stamps, instants = exposures.stamps, exposures.instants
    num = stamps.shape[2]
    number = np.arange(num)
    last = np.maximum.accumulate(np.where(exposures.detected, number, -1), axis=2)
    coming = np.where(exposures.detected, number, num)[..., ::-1]
    following = np.minimum.accumulate(coming, axis=2)[..., ::-1]
    before = np.empty((*stamps.shape[:2], instants.shape[1]), dtype=int)
    for n, c in np.ndindex(stamps.shape[:2]):
        before[n, c] = np.searchsorted(stamps[n, c], instants[n], side="right") - 1
    before = np.clip(before, 0, num - 2)
    return (
        np.take_along_axis(last, before, axis=2),
        np.take_along_axis(following, before + 1, axis=2),
    )
