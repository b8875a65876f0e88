"""Where each camera saw each moving object at common times: what refinement works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain


@dataclass(frozen=True)
class Observations:
    """Objects as C cameras saw them at N instants, one column per object and instant.

    A camera whose clock is wrong by δ seconds, ``true time = stamp + time_offset + δ``, saw the
    object at ``uv − velocity · δ`` at the time it claims.

    Attributes:
        cameras: Names in the rig, the order of the first axis.
        time: True time by the rig's offsets, (N,) int64 ns.
        uv: Raw pixel at that time, (C, N, 2) px; not read where ``seen`` is False.
        velocity: Of ``uv``, (C, N, 2) px/s; NaN where unknown.
        sigma_px: One standard deviation of each coordinate of ``uv``, (C, N) px.
        seen: Which camera saw which column, (C, N) bool.
        track_id: Which columns are the same object, (N,).
    """

    cameras: tuple[str, ...]
    time: Array
    uv: Array
    velocity: Array
    sigma_px: Array
    seen: Array
    track_id: Array

    def __post_init__(self) -> None:
        n = check_shape("time", self.time, ("N",))["N"]
        c = len(self.cameras)
        check_shape("uv", self.uv, (c, n, 2))
        check_shape("velocity", self.velocity, (c, n, 2))
        check_shape("sigma_px", self.sigma_px, (c, n))
        check_shape("seen", self.seen, (c, n))
        check_shape("track_id", self.track_id, (n,))
        _check_dtype("time", self.time, np.integer, "an array of integers, ns")
        _check_dtype("seen", self.seen, np.bool_, "an array of bool")
        _check_seen(self)

    def __len__(self) -> int:
        return len(self.time)


def _check_dtype(name: str, value: Array, kind: type, rule: str) -> None:
    if not np.issubdtype(value.dtype, kind):
        raise TypeError(complain(name, rule, str(value.dtype), "Convert it with astype."))


def _check_seen(observations: Observations) -> None:
    uv, sigma_px = observations.uv[observations.seen], observations.sigma_px[observations.seen]
    wrong = np.count_nonzero(~np.isfinite(uv).all(axis=-1))
    if wrong:
        got = f"NaN or infinite in {wrong} of {len(uv)} sightings"
        raise ValueError(complain("uv", "finite where seen", got, "Set seen to False there."))
    if not (sigma_px > 0).all():
        cure = "Give the detector's sigma_px."
        raise ValueError(complain("sigma_px", "above 0 where seen", f"{np.min(sigma_px)}", cure))
