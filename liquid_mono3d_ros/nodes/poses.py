"""Trajectories → the standard messages that other packages read: poses, paths, markers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, PoseWithCovarianceStamped, Quaternion
from nav_msgs.msg import Path
from std_msgs.msg import ColorRGBA
from transforms3d.euler import euler2quat
from visualization_msgs.msg import Marker, MarkerArray

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.nodes.messages import header, point, vector
from liquid_mono3d_ros.records import State, Trajectory

UNKNOWN_ANGLE_VARIANCE = math.pi**2
MARKER_LIFETIME = 1  # s
MARKER_COLOUR = ColorRGBA(r=0.0, g=0.45, b=0.7, a=0.9)
ELLIPSOID_COLOUR = ColorRGBA(r=0.0, g=0.45, b=0.7, a=0.25)
PREDICTION_COLOUR = ColorRGBA(r=0.9, g=0.6, b=0.0, a=0.9)


def heading(trajectory: Trajectory) -> tuple[Array, Array] | None:
    """Return the rotation that turns x along the motion, or None while the direction is unknown.

    The direction counts as known when the speed is more than three of its standard deviations.

    Returns:
        ``quat_wxyz`` (4,), and the variances of the rotations about x, y, z in rad², (3,).
    """
    velocity = trajectory.velocity
    speed = float(np.linalg.norm(velocity))
    sigma = math.sqrt(max(np.linalg.eigvalsh(trajectory.covariance[3:, 3:])[-1], 0.0))
    if speed <= 3.0 * sigma or speed == 0.0:
        return None
    yaw = math.atan2(velocity[1], velocity[0])
    pitch = -math.asin(velocity[2] / speed)
    variance = (sigma / speed) ** 2
    quat_wxyz = np.array(euler2quat(yaw, pitch, 0.0, "rzyx"))
    return quat_wxyz, np.array([UNKNOWN_ANGLE_VARIANCE, variance, variance])


def pose_stamped(trajectory: Trajectory, frame_id: str, turn: bool) -> PoseStamped:
    """Return the pose; identity rotation unless ``turn`` and the heading is known."""
    return PoseStamped(
        header=header(trajectory.stamp, frame_id), pose=_pose(trajectory, _turn(trajectory, turn))
    )


def pose_with_covariance(
    trajectory: Trajectory, frame_id: str, turn: bool
) -> PoseWithCovarianceStamped:
    """Return the pose with its 6×6 covariance, row-major; an unknown angle has variance π²."""
    known = _turn(trajectory, turn)
    angles = np.full(3, UNKNOWN_ANGLE_VARIANCE) if known is None else known[1]
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = trajectory.covariance[:3, :3]
    covariance[3:, 3:] = np.diag(angles)
    message = PoseWithCovarianceStamped(header=header(trajectory.stamp, frame_id))
    message.pose.pose = _pose(trajectory, known)
    message.pose.covariance = covariance.ravel()
    return message


class Paths:
    """Remembers the last poses of each track."""

    def __init__(self, length: int, turn: bool) -> None:
        self._length = length
        self._turn = turn
        self._poses: dict[int, deque[PoseStamped]] = {}

    def extend(self, trajectories: Iterable[Trajectory], frame_id: str) -> None:
        """Append states in the order given; a track that ended is forgotten."""
        for trajectory in trajectories:
            if trajectory.state == State.DELETED:
                self._poses.pop(trajectory.track_id, None)
            elif trajectory.state != State.TENTATIVE:
                poses = self._poses.setdefault(trajectory.track_id, deque(maxlen=self._length))
                poses.append(pose_stamped(trajectory, frame_id, self._turn))

    def path(self, trajectory: Trajectory, frame_id: str) -> Path:
        """Return a track's path up to its newest pose."""
        poses = list(self._poses.get(trajectory.track_id, ()))
        return Path(header=header(trajectory.stamp, frame_id), poses=poses)

    def reset(self) -> None:
        """Forget every path."""
        self._poses.clear()


def markers(trajectories: Iterable[Trajectory], frame_id: str) -> MarkerArray:
    """Return what RViz shows: position, 2-sigma ellipsoid, predicted path and id of each track."""
    message = MarkerArray()
    for trajectory in trajectories:
        if trajectory.state == State.DELETED:
            for namespace in ("object", "ellipsoid", "prediction", "id"):
                gone = _marker(trajectory, frame_id, namespace, Marker.SPHERE)
                gone.action = Marker.DELETE
                message.markers.append(gone)
        elif trajectory.state != State.TENTATIVE:
            message.markers += _shown(trajectory, frame_id)
    return message


def _shown(trajectory: Trajectory, frame_id: str) -> list[Marker]:
    body = _marker(trajectory, frame_id, "object", Marker.SPHERE)
    body.scale.x = body.scale.y = body.scale.z = 0.05
    body.color = MARKER_COLOUR
    ellipsoid = _marker(trajectory, frame_id, "ellipsoid", Marker.SPHERE)
    variances, axes = np.linalg.eigh(trajectory.covariance[:3, :3])
    axes[:, 0] *= np.sign(np.linalg.det(axes))
    ellipsoid.pose.orientation = _quaternion(_quat_wxyz(axes))
    ellipsoid.scale = vector(4.0 * np.sqrt(np.maximum(variances, 1e-8)))
    ellipsoid.color = ELLIPSOID_COLOUR
    label = _marker(trajectory, frame_id, "id", Marker.TEXT_VIEW_FACING)
    label.pose.position.z += 0.15
    label.scale.z = 0.1
    label.text = str(trajectory.track_id)
    label.color = MARKER_COLOUR
    shown = [body, ellipsoid, label]
    if trajectory.predictions:
        ahead = _marker(trajectory, frame_id, "prediction", Marker.LINE_STRIP)
        ahead.pose = Pose()
        ahead.scale.x = 0.02
        ahead.color = PREDICTION_COLOUR
        ahead.points = [point(trajectory.xyz), *(point(p.xyz) for p in trajectory.predictions)]
        shown.append(ahead)
    return shown


def _marker(trajectory: Trajectory, frame_id: str, namespace: str, kind: int) -> Marker:
    marker = Marker(header=header(trajectory.stamp, frame_id), ns=namespace, type=kind)
    marker.id = trajectory.track_id % 2**31
    marker.pose.position = point(trajectory.xyz)
    marker.lifetime.sec = MARKER_LIFETIME
    return marker


def _turn(trajectory: Trajectory, turn: bool) -> tuple[Array, Array] | None:
    return heading(trajectory) if turn else None


def _pose(trajectory: Trajectory, known: tuple[Array, Array] | None) -> Pose:
    pose = Pose(position=point(trajectory.xyz))
    if known is not None:
        pose.orientation = _quaternion(known[0])
    return pose


def _quaternion(quat_wxyz: Array) -> Quaternion:
    w, x, y, z = map(float, quat_wxyz)
    return Quaternion(x=x, y=y, z=z, w=w)


def _quat_wxyz(rotation: Array) -> Array:
    from transforms3d.quaternions import mat2quat

    return np.asarray(mat2quat(rotation))
