"""The filter a node runs: Points3D in, Trajectories out, remembering the tracks in between."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.assimilation import Tracks, assimilate
from liquid_mono3d_ros.liquid.bank import Belief, birth, collapse, mix, propagate
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.forecast import forecast
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
    append,
    begin_states,
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


class TrackFilter:
    """Filters every track of one stream of points; remembers them between calls.

    All tracks stand at the stamp of the newest points. A point is measured in metres; nothing
    here knows of pixels, wall time or ROS.

    Attributes:
        epoch: Starts at 0, one more after every reset.
        dropped: Reason → number of points not used; one that ends in ``_reset`` counts resets.

    Example:
        >>> TrackFilter(FilterSettings(filter="cv")).predict(0).trajectories
        ()
    """

    def __init__(self, settings: FilterSettings) -> None:
        self.settings = settings
        self.epoch = 0
        self.dropped: Counter[str] = Counter()
        self._design = design_filter(settings)
        self._kind = FilterKind.CV if settings.filter == "cv" else FilterKind.IMM
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
        if self._stamp is not None and points.stamp < self._stamp:
            self.dropped["late"] += len(points)
            return FilterUpdate(self.predict(self._stamp))
        before, link = self._advance(points.stamp)
        tracks, refused = assimilate(self._design, before, points)
        self.dropped += refused
        self._belief = tracks.belief
        self._lives = advance(tracks.lives, self._design.rules, points.stamp)
        self._epoch_in, self._frame_id = points.epoch, points.frame_id

        x, P = collapse(self._belief)
        now = self._report(self._lives, x, P, points.stamp, self._path(self._belief))
        history = self._confirm(now)
        lagged = self._smooth(Step(points.stamp, self._lives, x, P, link, tracks.begun))
        self._bury()
        return FilterUpdate(now, history, lagged)

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
            belief, _ = propagate(self._design.bank, mix(self._design.bank, belief, dt), dt)
            state = np.where(lives.state == State.CONFIRMED, State.COASTING, lives.state)
            lives = replace(lives, state=state)
        return self._report(lives, *collapse(belief), stamp, self._path(belief))

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
        self._belief = birth(bank, np.zeros((0, 3)), np.zeros((0, 3, 3)), 1.0)
        self._lives = new_lives(none.astype(np.uint64), Witness(0, none, none))
        self._steps: tuple[Step, ...] = ()
        self._tentative: dict[int, list[Trajectory]] = {}

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
        bank, belief, lives = self._design.bank, self._belief, self._lives
        begun = np.zeros(len(lives), dtype=bool)
        if stamp == self._stamp:
            step = self._steps[-1]
            return Tracks(belief, lives, step.x, step.P, begun), step.link
        gap = 0 if self._stamp is None else stamp - self._stamp
        self._stamp = stamp
        if not len(lives):
            x, P = collapse(belief)
            return Tracks(belief, lives, x, P, begun), begin_states(x, P)
        mixed = mix(bank, belief, seconds(gap))
        belief, cross = propagate(bank, mixed, seconds(gap))
        x, P = collapse(belief)
        if self.settings.lag and gap <= self._design.rules.coast_time:
            link = link_states(mixed, belief, cross, x, P)
        else:
            link = begin_states(x, P)
        return Tracks(belief, grow_older(lives), x, P, begun), link

    def _path(self, belief: Belief) -> Path | None:
        if not self._after or not len(belief):
            return None
        after = np.array([seconds(a) for a in self._after])
        return Path(self._after, *forecast(self._design.bank, belief, after))

    def _report(
        self, lives: Lives, x: Array, P: Array, stamp: int, path: Path | None = None
    ) -> Trajectories:
        records = report(lives, x, P, stamp=stamp, epoch=self.epoch, kind=self._kind, path=path)
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
