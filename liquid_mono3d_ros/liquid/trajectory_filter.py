"""The filter a node runs: Points3D in, Trajectories out, remembering the tracks in between."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path as File

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.assimilation import Tracks, assimilate
from liquid_mono3d_ros.liquid.bank import (
    birth,
    collapse,
    collapse_bias,
    mix,
    propagate,
    weights,
)
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import EXPERTS, FilterSettings, design_filter, gravity_in
from liquid_mono3d_ros.liquid.forecast import forecast
from liquid_mono3d_ros.liquid.guidance import collapse_all, led_by, output
from liquid_mono3d_ros.liquid.insight import Insight, look_inside
from liquid_mono3d_ros.liquid.lifecycle import (
    Lives,
    Witness,
    advance,
    grow_older,
    new_lives,
    seen_today,
)
from liquid_mono3d_ros.liquid.report import Path, report
from liquid_mono3d_ros.liquid.smoother import (
    Link,
    Step,
    apparent,
    append,
    begin_states,
    link_moments,
    link_states,
    smooth,
    without,
)
from liquid_mono3d_ros.records import (
    FilterKind,
    FilterUpdate,
    Points3D,
    State,
    Trajectories,
    Trajectory,
    nanoseconds,
    seconds,
)

__all__ = ["FilterSettings", "TrackFilter"]

WEIGHTS = File(__file__).parents[1] / "weights" / "liquid_filter.safetensors"
"""Of the package."""


class TrackFilter:
    """Filters every track of one stream of points; remembers them between calls.

    All tracks stand at the stamp of the newest points. A point is measured in metres; nothing
    here knows of pixels, wall time or ROS.

    Args:
        settings: Of the filter.
        experts: Names out of cv, imm, liquid, abrupt; by default those of the filter.
        adviser: Leads the liquid expert; by default the one that ``settings.weights`` names.

    Attributes:
        fallback_reason: Why the imm stands in for the liquid filter; empty when it does not.
        epoch: Starts at 0, one more after every reset.
        dropped: Reason → number of points not used; one that ends in ``_reset`` counts resets.

    Example:
        >>> TrackFilter(FilterSettings(filter="cv")).predict(0).trajectories
        ()
    """

    def __init__(
        self,
        settings: FilterSettings,
        experts: tuple[str, ...] = (),
        adviser: Adviser | None = None,
    ) -> None:
        self.settings = settings
        self.epoch = 0
        self.dropped: Counter[str] = Counter()
        self.fallback_reason = ""
        experts = experts or EXPERTS[settings.filter]
        if "liquid" in experts and adviser is None:
            adviser, self.fallback_reason = _load(settings)
            experts = experts if adviser else EXPERTS["imm"]
        self._design = design_filter(settings, experts, adviser)
        kinds = {"liquid": FilterKind.LIQUID, "imm": FilterKind.IMM}
        self._kind = next((kinds[name] for name in kinds if name in experts), FilterKind.CV)
        self._late = nanoseconds(settings.late_window)
        step = nanoseconds(settings.prediction_step)
        self._after = tuple(range(step, nanoseconds(settings.horizon) + 1, step))
        self._forget()

    def update(self, points: Points3D) -> FilterUpdate:
        """Take in the points of one instant.

        A stamp seen before adds its measurements without a prediction. Older points within
        ``late_window`` are dropped and counted; still older ones, another epoch or another frame
        reset the filter. Unusable points are dropped and counted.
        """
        self._reset_if_foreign(points)
        if self._stamp is None:
            self._settle(points.frame_id)
        if self._stamp is not None and points.stamp < self._stamp:
            self.dropped["late"] += len(points)
            return FilterUpdate(self.predict(self._stamp))
        before, link = self._advance(points.stamp)
        tracks, refused = assimilate(self._design, before, points)
        self.dropped += refused
        self._belief = tracks.belief
        self._lives = advance(tracks.lives, self._design.rules, points.stamp)
        self._epoch_in, self._frame_id = points.epoch, points.frame_id

        x, P, stretch = output(self._design, self._belief)
        now = self._report(self._lives, x, P, points.stamp, self._path(self._belief))
        history = self._confirm(now)
        if self._design.adviser is not None:
            P = collapse_all(self._design, self._belief)[1]
        seems = self._apparent(P, before.belief)
        step = Step(points.stamp, self._lives, x, P, seems, link, tracks.begun, stretch)
        lagged = self._smooth(step)
        self._bury()
        return FilterUpdate(now, history, lagged)

    @property
    def newest(self) -> int | None:
        """Stamp of the newest points, ns; None before the first."""
        return self._stamp

    def predict(self, stamp: int) -> Trajectories:
        """Say where the tracks are at a stamp not before the newest points; changes nothing.

        Raises:
            ValueError: If the stamp is older than the newest points.
        """
        newest = stamp if self._stamp is None else self._stamp
        if stamp < newest:
            rule = f"at least the newest stamp, {newest} ns"
            raise ValueError(complain("stamp", rule, f"{stamp} ns", "Ask for a later one."))
        alive = self._lives.state != State.DELETED
        lives, belief = self._lives.take(alive), self._belief.take(alive)
        if stamp > newest:
            dt = seconds(stamp - newest)
            belief = self._move(belief, dt, linked=False)[0]
            state = np.where(lives.state == State.CONFIRMED, State.COASTING, lives.state)
            lives = replace(lives, state=state)
        x, P, _ = output(self._design, belief)
        return self._report(lives, x, P, stamp, self._path(belief))

    def look_inside(self) -> Insight:
        """Say what goes on inside the filter, at the stamp of the newest points.

        The first call makes the time constants be worked out from the next update on.
        """
        self._design = replace(self._design, watched=True)
        return look_inside(self._design, self._belief, self._lives, self._stamp or 0)

    def drop(self, track_id: int) -> None:
        """End a track; the next update reports it as deleted and starts none with its number.

        Raises:
            ValueError: If there is no such track.
        """
        mine = self._lives.track_id == track_id
        if not mine.any():
            known = f"the number of a live track, one of {self._lives.track_id.tolist()}"
            raise ValueError(complain("track_id", known, str(track_id), "Read it from an update."))
        state = np.where(mine, State.DELETED, self._lives.state).astype(np.uint8)
        self._lives = replace(self._lives, state=state)

    def reset(self) -> None:
        """Forget every track and begin the next epoch; what was counted is kept."""
        self._forget()
        self.epoch += 1

    def _forget(self) -> None:
        bank, none = self._design.bank, np.zeros(0, dtype=np.int64)
        self._stamp: int | None = None
        self._epoch_in = 0
        self._frame_id = ""
        units = self._design.units
        self._belief = birth(bank, np.zeros((0, 3)), np.zeros((0, 3, 3)), 1.0, units=units)
        self._lives = new_lives(none.astype(np.uint64), Witness(0, none, none))
        self._steps: tuple[Step, ...] = ()
        self._tentative: dict[int, list[Trajectory]] = {}

    def _settle(self, frame_id: str) -> None:
        """Take the gravity of the frame the points come in."""
        gravity = gravity_in(self.settings, frame_id)
        if (gravity != self._design.bank.gravity).any():
            self._design = self._design.falling(gravity)

    def _reset_if_foreign(self, points: Points3D) -> None:
        if self._stamp is None:
            return
        reasons = {
            "epoch_reset": points.epoch != self._epoch_in,
            "frame_reset": points.frame_id != self._frame_id,
            "backward_reset": self._stamp - points.stamp > self._late,
        }
        reason = next((name for name, holds in reasons.items() if holds), None)
        if reason is not None:
            self.dropped[reason] += 1
            self.reset()

    def _advance(self, stamp: int) -> tuple[Tracks, Link]:
        """Predict every track to ``stamp``; nothing moves when it is the newest already."""
        belief, lives = self._belief, self._lives
        begun = np.zeros(len(lives), dtype=bool)
        if stamp == self._stamp:
            return Tracks(belief, lives, *collapse_all(self._design, belief), begun), self._steps[
                -1
            ].link
        gap = 0 if self._stamp is None else stamp - self._stamp
        self._stamp = stamp
        if not len(lives):
            x, P = collapse(belief)
            return Tracks(belief, lives, x, P, begun), begin_states(x, P)
        linked = self.settings.lag > 0 and gap <= self._design.rules.coast_time
        belief, x, P, link = self._move(belief, seconds(gap), linked=linked)
        return Tracks(belief, grow_older(lives), x, P, begun), link

    def _move(
        self, belief: Belief, dt: float, *, linked: bool
    ) -> tuple[Belief, Array, Array, Link]:
        """Return the belief ``dt`` seconds ahead, its mean and covariance, and the link to it."""
        design, fading = self._design, math.exp(-dt / self._design.bank.bias_time)
        if design.kernel is not None:
            log_q = None if design.adviser is None else belief.log_q
            ahead = design.kernel.advance(belief, dt, log_q, linked=linked)
            unshared, belief, x, P = belief.log_w, ahead.belief, ahead.x, ahead.P
            if ahead.cross is None:
                return belief, x, P, begin_states(x, P)
            mu = weights(design.bank, replace(belief, log_w=unshared))
            bias = ahead.bias, collapse_bias(belief, mu)
            return belief, x, P, link_moments(x, P, ahead.cross, bias, belief, fading)
        mixed = mix(design.bank, belief, dt)
        unshared = belief.log_w  # the link needs both ends alike
        belief, cross = propagate(design.bank, mixed, dt, log_q=led_by(design, mixed.log_q))
        mu = weights(design.bank, replace(belief, log_w=unshared))
        x, P = collapse(belief, mu)
        if not linked:
            return belief, x, P, begin_states(x, P)
        return belief, x, P, link_states(mixed, belief, cross, x, P, mu, fading)

    def _apparent(self, P: Array, predicted: Belief) -> Array:
        """Return the covariance of the apparent state, by the slow error as it was predicted."""
        belief = self._belief
        if not belief.knows_bias:
            return P
        born = belief.take(slice(len(predicted), None))
        return apparent(P, belief, predicted.join(born), weights(self._design.bank, belief))

    def _path(self, belief: Belief) -> Path | None:
        if not self._after or not len(belief):
            return None
        after = np.array([seconds(a) for a in self._after])
        log_q = led_by(self._design, belief.log_q)
        return Path(self._after, *forecast(self._design.bank, belief, after, log_q))

    def _report(
        self, lives: Lives, x: Array, P: Array, stamp: int, path: Path | None = None
    ) -> Trajectories:
        records = report(
            lives,
            x,
            P,
            stamp=stamp,
            epoch=self.epoch,
            kind=self._kind,
            path=path,
            fallback=bool(self.fallback_reason),
        )
        return Trajectories(stamp, self._frame_id, self.epoch, records)

    def _confirm(self, now: Trajectories) -> tuple[Trajectory, ...]:
        """Keep the states of tentative tracks; give out those of the tracks confirmed now."""
        history: list[Trajectory] = []
        for trajectory in now.trajectories:
            if trajectory.state != State.TENTATIVE:
                kept = self._tentative.pop(trajectory.track_id, [])
                if trajectory.state != State.DELETED:
                    history += [
                        replace(k, state=State.CONFIRMED) for k in kept if k.stamp < now.stamp
                    ]
            elif trajectory.measured:
                kept = self._tentative.setdefault(trajectory.track_id, [])
                if kept and kept[-1].stamp == now.stamp:
                    kept.pop()
                kept.append(replace(trajectory, predictions=()))
        return tuple(sorted(history, key=lambda t: t.stamp))

    def _smooth(self, newest: Step) -> tuple[Trajectories, ...]:
        """Remember the newest step; smooth the one that now lies the whole lag back."""
        lag, before = self.settings.lag, self._steps
        self._steps = append(before, newest, lag)
        is_new = not before or before[-1].stamp != newest.stamp
        if not lag or not is_new or len(self._steps) <= lag:
            return ()
        oldest = self._steps[0]
        lives = seen_today(oldest.lives, self._lives.take(slice(len(oldest.lives))), oldest.stamp)
        return (self._report(lives, *smooth(self._steps), oldest.stamp),)

    def _bury(self) -> None:
        """Remove the tracks that were reported as deleted."""
        kept = self._lives.state != State.DELETED
        if not kept.all():
            self._lives, self._belief = self._lives.take(kept), self._belief.take(kept)
            self._steps = tuple(without(step, kept) for step in self._steps)


def _load(settings: FilterSettings) -> tuple[Adviser | None, str]:
    """Return the network of a file, or of the package for an empty path; or why there is none."""
    try:
        adviser = Adviser.load(settings.weights or WEIGHTS)
        design_filter(settings, EXPERTS["liquid"], adviser)  # its bank may be none
    except (OSError, ValueError, TypeError) as error:
        return None, f"The imm filter runs instead of the liquid one: {error}"
    return adviser, ""
