"""A rig that was knocked, repaired from what its cameras saw of moving objects.

The cameras that agree are held: they keep world, scale and clock. Those that do not are moved
until they see the objects where the others do: robust bundle adjustment over poses, clock offsets
and object positions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.calibration.pose_problem import (
    Change,
    PoseProblem,
    RefinementSettings,
    columns_of,
)
from liquid_mono3d_ros.calibration.suspicion import (
    AGREE,
    disagreeing,
    located_by,
    misfit,
    residuals_of,
)
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rig import Rig


@dataclass(frozen=True)
class Refinement:
    """What came of it.

    Attributes:
        rig: The repaired rig.
        changes: Camera that was free → how it changed.
        held: The others, which keep world and clock.
        before_px: Camera → median length of its residuals against the points of the held cameras
            (of all, if only one is held), px.
        after_px: The same with the repaired rig, and the points of all cameras that then agree.
        misfit: Of the held cameras: residuals over what their noise explains.
        num_columns: Instants of objects that were used.
        inliers: Part of the sightings that count for more than half.
    """

    rig: Rig
    changes: Mapping[str, Change]
    held: tuple[str, ...]
    before_px: Mapping[str, float]
    after_px: Mapping[str, float]
    misfit: float
    num_columns: int
    inliers: float


def refine_rig(
    rig: Rig, observations: Observations, settings: RefinementSettings | None = None
) -> Refinement:
    """Return the rig with the cameras that disagree where the sightings say they are.

    Nothing moves if all agree. Where the object never came, nothing is known: the sigmas say how
    far the pose is determined, the residuals only that it fits where the object was. With two
    cameras the second one is moved, and the distance between them stays by its prior.

    Args:
        rig: As it was calibrated.
        observations: Of moving objects, of cameras of the rig.
        settings: What is free, and how far it may have come.

    Raises:
        ValueError: If a camera is unknown, none would be held, or there are too few sightings.
    """
    settings = settings or RefinementSettings()
    observations = _thinned(observations, settings.max_columns)
    free = _chosen(rig, observations, settings)
    held = tuple(name for name in observations.cameras if name not in free)
    judges = held if len(held) > 1 else observations.cameras
    before = _medians(rig, observations, judges)
    noise = misfit(rig, observations, held)
    if not free:
        return Refinement(rig, {}, held, before, before, noise, len(observations), 1.0)
    xyz = located_by(rig, observations, judges)
    for rung in _rungs(settings, noise):
        problem = PoseProblem(
            rig, observations, free, rung, max(1.0, np.nan_to_num(noise, nan=1.0))
        )
        solution = problem.solve(xyz)
        repaired = dataclasses.replace(rig, cameras={**rig.cameras, **solution.state.cameras})
        shifted = _shifted(observations, rig, repaired)
        if misfit(repaired, shifted, shifted.cameras) <= settings.simple_enough * noise:
            break
    blamed = disagreeing(repaired, shifted)
    agreeing = [name for name in observations.cameras if name not in blamed]
    return Refinement(
        rig=repaired,
        changes={name: problem.change(name, solution) for name in free},
        held=held,
        before_px=before,
        after_px=_medians(repaired, shifted, agreeing),
        misfit=noise,
        num_columns=problem.num_points,
        inliers=float((solution.weight[: problem.num_sightings] > 0.5).mean()),
    )


def _rungs(settings: RefinementSettings, noise: float) -> list[RefinementSettings]:
    """Return what to try, the simplest first: a turn alone, then all that is to be estimated.

    Where noise alone explains what the held cameras see, all is estimated at once, and the sigmas
    tell how well. Where it does not, a shift would explain errors away that are none of its own.
    """
    if not noise > AGREE:  # nor where one held camera has no opinion: NaN
        return [settings]
    return [dataclasses.replace(settings, shifts=False, clocks=False, focal=False), settings]


def _thinned(observations: Observations, most: int) -> Observations:
    """Return evenly chosen columns."""
    if len(observations) <= most:
        return observations
    chosen = np.linspace(0, len(observations) - 1, most).astype(int)
    return columns_of(observations, chosen)


def _shifted(observations: Observations, old: Rig, new: Rig) -> Observations:
    """Return the pixels at the same times by the clocks of the new rig."""
    delays = [
        new.cameras[name].time_offset - old.cameras[name].time_offset
        for name in observations.cameras
    ]
    moved = np.nan_to_num(observations.velocity) * np.array(delays)[:, None, None]
    return dataclasses.replace(observations, uv=observations.uv - moved)


def _chosen(rig: Rig, observations: Observations, settings: RefinementSettings) -> tuple[str, ...]:
    """Return the cameras to move."""
    for name in (*observations.cameras, *settings.free):
        if name not in rig.cameras:
            rule = f"one of {', '.join(rig.cameras)}"
            raise ValueError(complain("camera", rule, repr(name), "Use the names of the rig."))
    free = settings.free or disagreeing(rig, observations)
    if not free and len(observations.cameras) == 2:
        agree = misfit(rig, observations, observations.cameras) <= AGREE
        free = () if agree else (observations.cameras[1],)
    if set(free) >= set(observations.cameras):
        raise ValueError(
            complain("free", "fewer than all cameras", ", ".join(free), "Hold one or more.")
        )
    for name in free:
        count = np.count_nonzero(observations.seen[observations.cameras.index(name)])
        if count < 10:
            cure = "Let an object move where it and others see it."
            raise ValueError(complain(f"sightings of {name}", "10 or more", f"{count}", cure))
    return tuple(free)


def _medians(rig: Rig, observations: Observations, judges: Sequence[str]) -> dict[str, float]:
    residual = residuals_of(rig, observations, located_by(rig, observations, judges))
    lengths = np.hypot(residual[..., 0], residual[..., 1])
    return {
        name: float(np.median(own[np.isfinite(own)])) if np.isfinite(own).any() else float("nan")
        for name, own in zip(observations.cameras, lengths, strict=True)
    }
