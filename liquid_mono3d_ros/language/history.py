"""What is remembered of one track: enough for its facts, and no more after days."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain
from liquid_mono3d_ros.language.estimate import Estimate
from liquid_mono3d_ros.language.events import (
    Bounces,
    EventSettings,
    Stops,
    Turns,
    extend_bounces,
    extend_stops,
    extend_turns,
)
from liquid_mono3d_ros.language.path import Path, PathSettings, begin_path, extend_path, top_speed
from liquid_mono3d_ros.records import Quantity, Trajectory, nanoseconds
from liquid_mono3d_ros.settings import Settings, group, setting


@dataclass(frozen=True)
class HistorySettings(Settings):
    """What is remembered of a track."""

    path: PathSettings = group(PathSettings)
    events: EventSettings = group(EventSettings)
    gap_time: float = setting(
        0.3, "a longer time between measurements is a gap", unit="s", bounds=(0.01, 60.0)
    )
    num_waypoints: int = setting(
        64, "kept to judge the shape of the motion; then every other one", bounds=(16, 4096)
    )


class TrackHistory:
    """Remembers one track in the facts frame.

    Only measured estimates count: an estimate that was merely predicted moves ``newest`` on, and
    nothing else. Lengths and counts are running sums, so memory is bounded: ``num_waypoints``
    waypoints and the estimates of the last second or so.

    Attributes:
        newest: The newest trajectory, measured or not; None before the first.
        first: The first measured estimate; None before it.
        last: The newest measured estimate; None before the first.
        waypoints: Estimates a ruler's length apart, thinned, oldest first.
        path: The path so far.
        fastest: Largest speed so far, m/s.
        turns: Turns so far.
        stops: Stops so far.
        bounces: Bounces so far.
        num_gaps: Times between measurements longer than ``gap_time``.
        longest_gap: The longest of them, ns; 0 when there is none.
    """

    def __init__(
        self,
        R_facts_world: Array,
        t_facts_world: Array,
        *,
        z_up: bool,
        frame_id: str = "",
        settings: HistorySettings | None = None,
    ) -> None:
        """Start with nothing.

        Args:
            R_facts_world: Rotation from the world to the facts frame, (3, 3).
            t_facts_world: Its translation, (3,) m: ``x_facts = R @ x_world + t``.
            z_up: Whether z of the facts frame is known to point up.
            frame_id: The facts frame.
            settings: What is remembered.
        """
        check_shape("R_facts_world", R_facts_world, (3, 3))
        check_shape("t_facts_world", t_facts_world, (3,))
        self.R_facts_world = R_facts_world
        self.t_facts_world = t_facts_world
        self.z_up = z_up
        self.frame_id = frame_id
        self.settings = settings or HistorySettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the frame and the settings."""
        self.newest: Trajectory | None = None
        self.first: Estimate | None = None
        self.last: Estimate | None = None
        self.waypoints: list[Estimate] = []
        self.path: Path | None = None
        self.fastest = Quantity()
        self.turns: Turns | None = None
        self.stops = Stops()
        self.bounces = Bounces()
        self.num_gaps = 0
        self.longest_gap = 0
        self._recent: deque[Estimate] = deque()

    def add(self, trajectory: Trajectory) -> None:
        """Remember the next trajectory of the track.

        Raises:
            ValueError: If it is of another track or epoch, not newer than the last, or not finite.
        """
        self._check(trajectory)
        self.newest = trajectory
        if not trajectory.measured:
            return
        estimate = self.to_facts_frame(trajectory)
        if self.path is None or self.turns is None or self.last is None:
            self.first = self.last = estimate
            self.path, self.turns = begin_path(estimate), Turns(estimate)
            self.waypoints = [estimate]
            self._recent.append(estimate)
            return
        self._count_gap(estimate.stamp - self.last.stamp)
        self.last = estimate
        self._remember(estimate)
        self.path = extend_path(self.path, estimate, self.settings.path)
        self.turns = extend_turns(self.turns, estimate, self.settings.events)
        self.stops = extend_stops(self.stops, self._recent, self.settings.events)
        self.bounces = extend_bounces(self.bounces, self._recent, self.settings.events)
        self.fastest = top_speed(self.fastest, self._recent, self.settings.path)
        if self.path.waypoint is estimate:
            self._add_waypoint(estimate)

    def to_facts_frame(self, trajectory: Trajectory) -> Estimate:
        """Return a trajectory's estimate in the facts frame."""
        R, P = self.R_facts_world, trajectory.covariance
        return Estimate(
            stamp=trajectory.stamp,
            xyz=R @ trajectory.xyz + self.t_facts_world,
            covariance=R @ P[:3, :3] @ R.T,
            velocity=R @ trajectory.velocity,
            velocity_covariance=R @ P[3:, 3:] @ R.T,
        )

    def _check(self, trajectory: Trajectory) -> None:
        for name in ("xyz", "velocity", "covariance"):
            check_finite(name, getattr(trajectory, name))
        before = self.newest
        if before is None:
            return
        track, same = (trajectory.epoch, trajectory.track_id), (before.epoch, before.track_id)
        if track != same:
            rule = f"of epoch {same[0]}, track {same[1]}"
            raise ValueError(
                complain(
                    "trajectory", rule, f"epoch {track[0]}, track {track[1]}", "Use one each."
                )
            )
        if trajectory.stamp <= before.stamp:
            rule, got = f"newer than {before.stamp} ns", f"{trajectory.stamp} ns"
            raise ValueError(complain("stamp", rule, got, "Add trajectories in order of time."))

    def _count_gap(self, interval: int) -> None:
        if interval > nanoseconds(self.settings.gap_time):
            self.num_gaps += 1
            self.longest_gap = max(self.longest_gap, interval)

    def _remember(self, estimate: Estimate) -> None:
        """Keep the estimates that the longest window needs, and one older."""
        self._recent.append(estimate)
        events = self.settings.events
        longest = max(events.stop_time, events.bounce_time, self.settings.path.speed_window)
        begin = estimate.stamp - nanoseconds(longest)
        while len(self._recent) > 1 and self._recent[1].stamp <= begin:
            self._recent.popleft()

    def _add_waypoint(self, estimate: Estimate) -> None:
        self.waypoints.append(estimate)
        if len(self.waypoints) > self.settings.num_waypoints:
            self.waypoints = self.waypoints[::2]
