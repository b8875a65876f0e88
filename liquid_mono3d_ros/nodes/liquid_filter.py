"""Node: points → filtered trajectories, poses, paths and markers."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from liquid_mono3d_ros.graph import FilterNodeSettings
from liquid_mono3d_ros.liquid.insight import Insight
from liquid_mono3d_ros.liquid.trajectory_filter import TrackFilter
from liquid_mono3d_ros.nodes.choice import Primary, Slots
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import header, points3d_from_msg, trajectories_to_msg
from liquid_mono3d_ros.nodes.poses import Paths, markers, pose_stamped, pose_with_covariance
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.records import FilterUpdate, Trajectories, Trajectory, nanoseconds

PATH_PERIOD = nanoseconds(0.1)
"""Shortest time between two paths of one track: a path repeats every pose it holds."""

REFUSED = {
    "duplicate_id": "a track_id occurs twice",
    "unknown_kind": "kind is neither POINT nor BEARING",
    "not_finite": "a number that must be known is NaN or infinite",
    "out_of_range": "a number is too large to be a position",
    "covariance_not_positive": "a covariance is not symmetric and positive",
    "ray_not_unit": "ray_direction is no unit vector",
}
"""What the filter counts when a point breaks the rules of ``Point3D`` → what to say of it."""


class LiquidFilterNode(Stage[FilterNodeSettings]):
    """Filters each set of points as it arrives; the pose leaves first."""

    spec_name = "liquid_filter"

    def configure(self) -> None:
        """Build the filter and the outputs."""
        self.filter = TrackFilter(self.settings)
        self.turn = self.settings.orientation == "heading"
        self.primary = Primary(self.settings.primary)
        self.slots = Slots(self.settings.track_slots)
        self.paths = Paths(self.settings.path_length, self.turn)
        self.path_stamps: dict[str, int] = {}
        self.pose = self.advertise("pose")
        self.pose_with_covariance = self.advertise("pose_with_covariance")
        self.trajectories = self.advertise("trajectories")
        self.lagged = self.advertise("trajectories_lagged")
        self.predicted = self.advertise("trajectories_predicted")
        self.path = self.advertise("path")
        self.markers = self.advertise("markers")
        self.models = self.advertise("liquid_filter/debug/models")
        slots = range(self.settings.track_slots)
        self.slot_poses = [self.advertise("slot_{slot}/pose", slot=k) for k in slots]
        self.slot_paths = [self.advertise("slot_{slot}/path", slot=k) for k in slots]

    def connect(self) -> None:
        """Subscribe to the points; begin to predict, if that was asked for."""
        self.subscribe("points3d", self._update)
        if self.settings.prediction_rate:
            self.beat = self.create_timer(1.0 / self.settings.prediction_rate, self._predict)

    def disconnect(self) -> None:
        """End the predictions."""
        if self.settings.prediction_rate:
            self.destroy_timer(self.beat)

    def restart(self) -> None:
        """Forget every track."""
        self.filter.reset()
        self._forget()

    def complaints(self) -> list[str]:
        """Say why the liquid filter, or the judge of tracks, does not run."""
        reasons = (self.filter.fallback_reason, self.filter.unjudged_reason)
        return [*super().complaints(), *filter(None, reasons)]

    def report(self) -> dict[str, object]:
        """Return the epoch and the filter's own drops."""
        drops = {f"count {cause}": number for cause, number in self.filter.dropped.items()}
        return {"epoch": self.filter.epoch, "filter": self.settings.filter, **drops}

    def _forget(self) -> None:
        self.primary.reset()
        self.slots.reset()
        self.paths.reset()
        self.path_stamps.clear()

    def _update(self, message: Any) -> None:
        points = points3d_from_msg(message)
        epoch, dropped = self.filter.epoch, self.filter.dropped.copy()
        update = self.filter.update(points)
        if self.filter.epoch != epoch:
            self._forget()
        for cause in (self.filter.dropped - dropped).keys() & REFUSED.keys():
            cure = "Such points are left out: check what publishes them."
            self.say(cause, f"points3d at {points.stamp} ns: {REFUSED[cause]}. {cure}")
        self._publish(update)

    def _predict(self) -> None:
        """Say where the tracks are by now, while they may still be followed."""
        now, newest = self.get_clock().now().nanoseconds, self.filter.newest
        if newest is None or not 0 <= now - newest <= nanoseconds(self.settings.coast_time):
            return
        with self.lock:
            self.predicted.publish(trajectories_to_msg(self.filter.predict(now)))

    def _publish(self, update: FilterUpdate) -> None:
        now, frame_id = update.now, update.now.frame_id
        primary = self.primary.choose(now.trajectories)
        if primary is not None:
            self.pose.publish(pose_stamped(primary, frame_id, self.turn))
            if self.pose_with_covariance.get_subscription_count():
                message = pose_with_covariance(primary, frame_id, self.turn)
                self.pose_with_covariance.publish(message)
        slots = self.slots.assign(now.trajectories)
        for slot, trajectory in slots.items():
            self.slot_poses[slot].publish(pose_stamped(trajectory, frame_id, self.turn))
        self.trajectories.publish(trajectories_to_msg(now))
        for lagged in update.lagged:
            self.lagged.publish(trajectories_to_msg(lagged))
        self.paths.extend(update.history, frame_id)
        self.paths.extend(now.trajectories, frame_id)
        if primary is not None:
            self._publish_path(self.path, primary, now)
        for slot, trajectory in slots.items():
            self._publish_path(self.slot_paths[slot], trajectory, now)
        if self.markers.get_subscription_count():
            self.markers.publish(markers(now.trajectories, frame_id))
        if self.models.get_subscription_count():
            self.models.publish(insight_to_msg(self.filter.look_inside()))

    def _publish_path(self, publisher: Any, trajectory: Trajectory, now: Trajectories) -> None:
        last = self.path_stamps.get(publisher.topic_name)
        due = last is None or now.stamp - last >= PATH_PERIOD
        if due and publisher.get_subscription_count():
            self.path_stamps[publisher.topic_name] = now.stamp
            publisher.publish(self.paths.path(trajectory, now.frame_id))


def insight_to_msg(inside: Insight) -> DiagnosticArray:
    """Write one status a track: names and numbers, for ``ros2 topic echo`` and rqt."""
    message = DiagnosticArray(header=header(inside.stamp, ""))
    models = [f"probability of {name}" for name in inside.models]
    experts = [f"weight of {name}" for name in inside.experts]
    for row, track_id in enumerate(inside.track_id.tolist()):
        values = {
            **dict(zip(models, inside.probability[row], strict=True)),
            **dict(zip(experts, inside.weight[row], strict=True)),
            "log_r": inside.log_r[row],
            "log_q": inside.log_q[row],
            "tau_s": inside.tau[row],
        }
        pairs = [KeyValue(key=key, value=f"{value:.6g}") for key, value in values.items()]
        message.status.append(DiagnosticStatus(name=f"track {track_id}", values=pairs))
    return message


def main() -> int:
    """Run the node."""
    return run(LiquidFilterNode)


if __name__ == "__main__":
    raise SystemExit(main())
