"""The classical way to name a motion: fit each family to the track, take the least BIC.

It knows the families' formulas and, where one family could imitate another, their ranges. Every
fit is by least squares with the points' covariances: the linear part is solved, the rest found on
a grid and refined.

Source: Schwarz, Estimating the dimension of a model, 1978.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth import moves
from liquid_mono3d_ros.synth.paths import GRAVITY

HOVERS, RADII, SLOWEST = 0.7, (0.2, 6.0), 0.2
"""A hover stays within this, m; radii of circles and helices, m; least speed of others, m/s."""
KNOTS = (4, 7, 11)
"""Of a turn's rate over time, evenly spaced."""
EVALUATIONS = 12
"""Of a refinement, each with as many as there are parameters for its slopes."""


@dataclass(frozen=True)
class Fit:
    """How well a family fits a track: squared whitened residuals, and its parameters."""

    chi2: float
    parameters: int

    def bic(self, numbers: int) -> float:
        """Return the criterion for so many measured numbers; less is better."""
        return self.chi2 + self.parameters * float(np.log(numbers))


@dataclass(frozen=True)
class Track:
    """Times (T,) s, points (T, 3) m, and what whitens their errors, (T, 3, 3) 1/m."""

    t: Array
    z: Array
    whitener: Array

    @classmethod
    def of(cls, t: Array, z: Array, R: Array) -> Track:
        """Take the seen points of a track."""
        return cls(t, z, np.linalg.inv(np.linalg.cholesky(R)))

    def chi2(self, path: Array) -> float:
        """Return the squared whitened distance of a path (T, 3)."""
        return float(np.square(self.residuals(path)).sum())

    def residuals(self, path: Array) -> Array:
        """Return the whitened distances, (3 T,)."""
        return np.asarray(np.einsum("tij,tj->ti", self.whitener, self.z - path).ravel())

    def solve(self, design: Array, z: Array | None = None) -> Array:
        """Return the best coefficients (P, 3) of the columns of a design (T, P)."""
        A = np.einsum("tij,tp->tipj", self.whitener, design)
        b = np.einsum("tij,tj->ti", self.whitener, self.z if z is None else z)
        found = np.linalg.lstsq(A.reshape(-1, 3 * design.shape[1]), b.ravel(), rcond=None)[0]
        return np.asarray(found.reshape(-1, 3))


def name_motion(t: Array, z: Array, R: Array) -> str:
    """Return the name of the family with the least BIC.

    Args:
        t: (T,) s from the start; the same for many tracks is faster.
        z: (T, 3) m, z up.
        R: (T, 3, 3) m².
    """
    track = Track.of(t, z, R)
    scores = {name: min(fit.bic(z.size) for fit in fits(track)) for name, fits in FAMILIES.items()}
    return min(scores, key=lambda name: scores[name])


def _line(track: Track) -> Iterator[Fit]:
    design = _powers(track.t, 1)
    path = design @ track.solve(design)
    length = np.linalg.norm(path[-1] - path[0])
    good = length > SLOWEST * np.ptp(track.t)
    yield Fit(track.chi2(path) if good else np.inf, 6)


def _parabola(track: Track) -> Iterator[Fit]:
    design, fall = _powers(track.t, 1), np.zeros_like(track.z)
    fall[:, 2] = -GRAVITY * track.t**2 / 2
    yield Fit(track.chi2(fall + design @ track.solve(design, track.z - fall)), 6)


def _hover(track: Track) -> Iterator[Fit]:
    for degree in (0, 1, 3, 5):
        design = _powers(track.t, degree)
        path = design @ track.solve(design)
        if np.linalg.norm(np.ptp(path, axis=0)) < HOVERS:
            yield Fit(track.chi2(path), 3 * (degree + 1))
    yield Fit(np.inf, 0)


def _circle(track: Track) -> Iterator[Fit]:
    yield _round(track, climbs=False)


def _helix(track: Track) -> Iterator[Fit]:
    yield _round(track, climbs=True)


def _round(track: Track, climbs: bool) -> Fit:
    rates, bases = _round_bases(track.t.tobytes(), climbs)
    begun = rates[_best(bases, track.z, 1)[0]]
    design = _round_design(track.t, begun, climbs)
    coefficients = track.solve(design)
    a, b = coefficients[1], coefficients[2]
    normal = np.cross(a, b)
    if np.linalg.norm(normal) < 1e-12 or np.linalg.norm(a) < 1e-9:
        return Fit(np.inf, 0)
    u, n = a / np.linalg.norm(a), normal / np.linalg.norm(normal)
    frame = np.stack([u, np.cross(n, u), n], axis=1)
    radius = np.sqrt(np.linalg.norm(normal))
    first = np.concatenate(
        [coefficients[0], Rotation.from_matrix(frame).as_rotvec(), [np.log(radius), begun]]
    )
    if climbs:
        first = np.append(first, coefficients[3] @ n)

    def path(p: Array) -> Array:
        angle = np.clip(p[7], -50, 50) * track.t
        size = np.exp(np.clip(p[6], -9, 4))
        own = np.stack([size * np.cos(angle), size * np.sin(angle), 0 * angle], axis=1)
        if climbs:
            own[:, 2] = p[8] * track.t
        return np.asarray(p[:3] + own @ Rotation.from_rotvec(p[3:6]).as_matrix().T)

    best, chi2 = _refined(track, path, first)
    radius = np.exp(np.clip(best[6], -9, 4))
    speed = radius * abs(best[7])
    good = RADII[0] < radius < RADII[1] and speed > SLOWEST
    return Fit(chi2 if good else np.inf, len(first))


def _turn(track: Track) -> Iterator[Fit]:
    design = _powers(track.t, 5)
    smooth = design @ track.solve(design)
    frame = np.linalg.svd(smooth - smooth.mean(axis=0), full_matrices=False)[2].T
    frame[:, 2] = np.cross(frame[:, 0], frame[:, 1])
    velocity = np.gradient(smooth, track.t, axis=0) @ frame[:, :2]
    heading = np.unwrap(np.arctan2(velocity[:, 1], velocity[:, 0]))
    speed = np.linalg.norm(velocity, axis=1).mean()
    pose = [*smooth[0], *Rotation.from_matrix(frame).as_rotvec(), np.log(speed + 1e-6)]
    for count in KNOTS:
        knots = np.linspace(track.t[0], track.t[-1], count)
        rates = np.interp(knots, track.t, np.gradient(heading, track.t))
        first = np.array([*pose, heading[0], *rates])
        # the heading turns the plane about its normal: it is no parameter of its own
        best, chi2 = _refined(track, partial(_bent, track.t, knots=knots), first)
        yield Fit(chi2 if np.exp(best[6]) > SLOWEST else np.inf, len(first) - 1)
        if chi2 < track.z.size:  # more knots would fit the noise
            return


def _bent(t: Array, p: Array, knots: Array) -> Array:
    """Return a path at constant speed in a plane whose turn rate is linear between knots."""
    rate = np.interp(t, knots, p[8:])
    step = np.diff(t)
    heading = p[7] + np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * step)])
    way = np.exp(1j * heading)
    middle = np.exp(1j * (heading[1:] + heading[:-1]) / 2)
    chord = step * (way[1:] + way[:-1] + 4 * middle) / 6  # Simpson
    at = np.exp(np.clip(p[6], -9, 4)) * np.concatenate([[0.0], np.cumsum(chord)])
    own = np.stack([at.real, at.imag, 0 * t], axis=1)
    return np.asarray(p[:3] + own @ Rotation.from_rotvec(p[3:6]).as_matrix().T)


def _stop_and_go(track: Track) -> Iterator[Fit]:
    grid, bases = _stop_bases(track.t.tobytes())

    def path(p: Array) -> Array:
        design = _stop_design(track.t, p)
        return np.asarray(design @ track.solve(design))

    best = _best(bases, track.z, 1)[0]
    p, chi2 = _refined(track, path, grid[best])
    columns = _stop_design(track.t, p).shape[1]
    yield Fit(chi2, 3 + 3 * columns)


def _stop_design(t: Array, p: Array) -> Array:
    """Return the columns of a stop-and-go: one, and how far each of its goes has come.

    The parameters are the logarithms of go and stop, s, and the part of a cycle that is over.
    """
    go, stop = np.exp(np.clip(p[:2], -3, 2))
    begun, cycle = p[2], go + stop
    since = t + begun * cycle
    first, last = int(since[0] // cycle), int(since[-1] // cycle)
    numbers = np.arange(first, last + 1)
    tau = np.clip((since[:, None] - numbers * cycle) / go, 0, 1)
    done = tau - np.sin(2 * np.pi * tau) / (2 * np.pi)
    moves_here = np.ptp(done, axis=0) > 1e-3
    return np.column_stack([np.ones(len(t)), done[:, moves_here]])


def _bounce(track: Track) -> Iterator[Fit]:
    grid, heights = _bounce_profiles(track.t.tobytes())
    z = track.z[:, 2]
    about = z - z.mean()
    errors = np.square(heights - about).sum(axis=1)

    def path(p: Array) -> Array:
        up, along = _bounced(track.t, p)
        design = np.column_stack([np.ones(len(track.t)), along])
        fixed = np.zeros_like(track.z)
        fixed[:, 2] = up
        # the level drift has no vertical part: its column is solved for x and y alone
        found = track.solve(design, track.z - fixed)
        found[1, 2] = 0.0
        rest = track.z - fixed - design[:, 1:] @ found[1:]
        return np.asarray(fixed + design[:, 1:] @ found[1:] + track.solve(design[:, :1], rest))

    fits = []
    for number in np.argsort(errors)[:2]:
        height, part, restitution = grid[number]
        for grip in (0.8, 0.95):
            first = np.array([np.log(height), part, restitution, grip])
            fits.append(_refined(track, path, first)[1])
    yield Fit(min(fits), 9)


def _bounced(t: Array, p: Array) -> tuple[Array, Array]:
    """Return the height of a bounce and its way along at drift one."""
    height = np.exp(np.clip(p[0], -3, 3))
    fallen = np.clip(p[1], 0, 1) * np.sqrt(2 * height / GRAVITY)
    one = np.ones(1)
    xyz, _ = moves.bounce(
        t[None],
        height=height * one,
        fallen=fallen * one,
        drift=one,
        restitution=np.clip(p[2], 0.3, 0.98) * one,
        grip=np.clip(p[3], 0.5, 1.0) * one,
    )
    return xyz[0, :, 2], xyz[0, :, 0]


def _refined(track: Track, path: Callable[[Array], Array], first: Array) -> tuple[Array, float]:
    """Return the parameters of the path nearest to a track, and how near."""
    found = least_squares(
        _of(track, path),
        first,
        method="trf",
        x_scale="jac",
        max_nfev=EVALUATIONS,
    )
    return found.x, float(2 * found.cost)


def _of(track: Track, path: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return the residuals as a function of the parameters."""
    return lambda p: track.residuals(path(p))


def _best(bases: tuple[Array, ...], z: Array, count: int) -> Array:
    """Return which orthonormal bases (T, P) hold the most of the points, the best first."""
    held = np.array([np.square(basis.T @ z).sum() for basis in bases])
    return np.argsort(-held)[:count]


@cache
def _round_bases(times: bytes, climbs: bool) -> tuple[Array, tuple[Array, ...]]:
    t = np.frombuffer(times)
    rates = np.arange(0.1, 11.0, 0.25)
    return rates, tuple(np.linalg.qr(_round_design(t, rate, climbs))[0] for rate in rates)


def _round_design(t: Array, rate: float, climbs: bool) -> Array:
    columns = [np.ones(len(t)), np.cos(rate * t), np.sin(rate * t)]
    return np.column_stack([*columns, t] if climbs else columns)


@cache
def _stop_bases(times: bytes) -> tuple[Array, tuple[Array, ...]]:
    t = np.frombuffer(times)
    go, stop = np.log(np.geomspace(0.4, 2.0, 9)), np.log(np.geomspace(0.2, 1.5, 8))
    grid = np.stack(np.meshgrid(go, stop, np.arange(10) / 10), axis=-1).reshape(-1, 3)
    return grid, tuple(np.linalg.qr(_stop_design(t, each))[0] for each in grid)


@cache
def _bounce_profiles(times: bytes) -> tuple[Array, Array]:
    """Return heights, shares of the fall that are over and restitutions, and heights about 0."""
    t = np.frombuffer(times)
    axes = np.geomspace(0.3, 3.0, 14), np.linspace(0, 0.9, 8), np.linspace(0.6, 0.92, 9)
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    profiles = np.stack([_bounced(t, np.array([np.log(h), a, e, 0.9]))[0] for h, a, e in grid])
    return grid, profiles - profiles.mean(axis=1, keepdims=True)


def _powers(t: Array, degree: int) -> Array:
    s = (t - t.mean()) / max(float(np.ptp(t)) / 2, 1e-9)
    return np.stack([s**k for k in range(degree + 1)], axis=1)


FAMILIES: dict[str, Callable[[Track], Iterator[Fit]]] = {
    "line": _line,
    "circle": _circle,
    "helix": _helix,
    "parabola": _parabola,
    "turn": _turn,
    "stop-and-go": _stop_and_go,
    "bounce": _bounce,
    "hover": _hover,
}
"""What can be fitted, by the name of the motion."""
