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
from liquid_mono3d_ros.liquid.bank import birth, weights
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.design import EXPERTS, FilterSettings, design_filter, gravity_in
from liquid_mono3d_ros.liquid.forecast import forecast
from liquid_mono3d_ros.liquid.guidance import led_by, step
from liquid_mono3d_ros.liquid.insight import Insight, look_inside
from liquid_mono3d_ros.liquid.lifecycle import (
    Lives,
    Witness,
    advance,
    grow_older,
    new_lives,
    seen_today,
)
from liquid_mono3d_ros.liquid.persistence import assess, load_judge
from liquid_mono3d_ros.liquid.replay import Event, Moment, Recent, Segment, merge, put_in
from liquid_mono3d_ros.liquid.report import Path, report
from liquid_mono3d_ros.liquid.smoother import (
    Link,
    Step,
    apparent,
    append,
    begin_states,
    link_moments,
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
        unjudged_reason: Why no network says which tracks last; empty when one does.
        epoch: Starts at 0, one more after every reset.
        dropped: Reason → number of points not used; one that ends in ``_reset`` counts resets.

    Example:
        >>> TrackFilter(FilterSettings(filter="cv")).predict(0).trajectories
        ()
    """

    _stamp: int | None
    _belief: Belief
    _lives: Lives
    _recent: Recent
    _steps: tuple[Step, ...]
    _tentative: dict[int, list[Trajectory]]
    _smoothed: int | None

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
        self._judge, self.unjudged_reason = load_judge(settings.persistence_weights)
        kinds = {"liquid": FilterKind.LIQUID, "imm": FilterKind.IMM}
        self._kind = next((kinds[name] for name in kinds if name in experts), FilterKind.CV)
        self._late = nanoseconds(settings.late_window)
        step = nanoseconds(settings.prediction_step)
        self._after = tuple(range(step, nanoseconds(settings.horizon) + 1, step))
        self._forget()

    def update(self, points: Points3D) -> FilterUpdate:
        """Take in the points of one instant.

        A stamp seen before adds its measurements without a prediction. Older points within
        ``late_window`` are put where they belong, and what came after them is filtered again; the
        answer is that of the newest stamp. Those for which too much would have to be repeated
        (``replay.MOST``) are dropped and counted. Still older ones, another epoch or another frame
        reset the filter. Unusable points are dropped and counted.
        """
        self._reset_if_foreign(points)
        if self._stamp is None:
            self._settle(points.frame_id)
        if self._stamp is not None and points.stamp < self._stamp:
            return self._take_in_late(points)
        update = self._take_in(points)
        self._smoothed = update.lagged[-1].stamp if update.lagged else self._smoothed
        return update

    def _take_in(self, points: Points3D) -> FilterUpdate:
        """Take in points not older than the newest."""
        since = 0 if self._stamp is None else points.stamp - self._stamp
        tracks, link = self._advance(points)
        told, predicted, self._belief = tracks.told, self._belief, tracks.belief
        lives = assess(self._judge, tracks.lives, told.x, told.P, seconds(since))
        self._lives = advance(lives, self._design.rules, points.stamp)
        self._epoch_in, self._frame_id = points.epoch, points.frame_id

        path = self._path(self._belief)
        now = self._report(self._lives, told.x, told.P, points.stamp, path)
        history = self._confirm(now)
        P = told.P if self._design.adviser is None else told.whole
        seems = self._apparent(P, predicted)
        newest = Step(
            points.stamp, self._lives, told.x, P, seems, link, tracks.begun, told.stretch
        )
        lagged = self._smooth(newest)
        self._bury()
        self._remember((points.stamp, points))
        return FilterUpdate(now, history, lagged)

    def _take_in_late(self, points: Points3D) -> FilterUpdate:
        """Go back to before the points, and take in again what came after them."""
        known, found = self._lives, self._recent.split(points.stamp)
        if found is None:
            self.dropped["late"] += len(points)
            return FilterUpdate(self.predict(self._stamp or 0))
        self._recent, later = found
        self._restore(self._recent.segments[-1].before)
        updates = []
        for _, what in put_in(later, points):
            if isinstance(what, Points3D):
                counted = self.dropped.copy()
                updates.append(self._take_in(what))
                self.dropped = self.dropped if what is points else counted
            elif what in self._lives.track_id:
                self.drop(what)
        merged = merge(updates, known, self._smoothed)
        self._smoothed = merged.lagged[-1].stamp if merged.lagged else self._smoothed
        return merged

    def _remember(self, event: Event) -> None:
        """Keep an event for points that come late, and what is known now if it is time to."""
        if not self._late:
            return
        self._recent = self._recent.add(event, self._late)
        if self._recent.is_due(event[0], self._late):
            self._recent = self._recent.begin(self._moment())

    def _moment(self) -> Moment:
        tentative = {track_id: tuple(kept) for track_id, kept in self._tentative.items()}
        return Moment(self._stamp, self._belief, self._lives, self._steps, tentative)

    def _restore(self, moment: Moment) -> None:
        self._stamp, self._belief, self._lives = moment.stamp, moment.belief, moment.lives
        self._steps = moment.steps
        self._tentative = {track_id: list(kept) for track_id, kept in moment.tentative.items()}

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
        dt = seconds(stamp - newest) if stamp > newest else None
        if dt is not None:
            state = np.where(lives.state == State.CONFIRMED, State.COASTING, lives.state)
            lives = replace(lives, state=state)
        told = step(self._design, belief, dt)
        return self._report(lives, told.x, told.P, stamp, self._path(told.belief))

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
        self._remember((self._stamp or 0, track_id))

    def reset(self) -> None:
        """Forget every track and begin the next epoch; what was counted is kept."""
        self._forget()
        self.epoch += 1

    def _forget(self) -> None:
        bank, none = self._design.bank, np.zeros(0, dtype=np.int64)
        self._stamp = None
        self._epoch_in = 0
        self._frame_id = ""
        units = self._design.units
        self._belief = birth(bank, np.zeros((0, 3)), np.zeros((0, 3, 3)), 1.0, units=units)
        judging = 0 if self._judge is None else self._judge.units
        self._lives = new_lives(none.astype(np.uint64), Witness(0, none, none), judging)
        self._steps = ()
        self._tentative = {}
        self._smoothed = None
        self._recent = Recent((Segment(self._moment()),))

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

    def _advance(self, points: Points3D) -> tuple[Tracks, Link]:
        """Take every track to the points and enter these; a stamp seen before moves nothing."""
        design, belief, lives = self._design, self._belief, self._lives
        if points.stamp == self._stamp:
            tracks, _, refused = assimilate(design, belief, lives, points, None)
            self.dropped += refused
            return tracks, self._steps[-1].link
        gap = 0 if self._stamp is None else points.stamp - self._stamp
        self._stamp = points.stamp
        dt, linked = seconds(gap), self.settings.lag > 0 and gap <= design.rules.coast_time
        older = grow_older(lives)
        tracks, told, refused = assimilate(design, belief, older, points, dt, linked=linked)
        self.dropped += refused
        if not linked or not len(lives):
            return tracks, begin_states(told.x, told.P)
        bias, fading = (told.bias_before, told.bias_after), math.exp(-dt / design.bank.bias_time)
        link = link_moments(told.before, told.before_P, told.cross, bias, belief, fading)
        return tracks, link

    def _apparent(self, P: Array, predicted: Belief) -> Array:
        """Return the covariance of the apparent state, by the slow error as it was predicted."""
        belief = self._belief
        if not belief.knows_bias:
            return P
        seen = widen(predicted)
        if len(seen) < len(belief):
            seen = seen.join(belief.take(slice(len(seen), None)))
        return apparent(P, belief, seen, weights(self._design.bank, belief))

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
