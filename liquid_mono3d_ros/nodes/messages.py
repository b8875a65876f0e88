"""Records of the core ↔ ROS messages: field by field, stamps as integers, nothing computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Vector3
from liquid_mono3d import msg as m
from std_msgs.msg import Header

from liquid_mono3d_ros import records as r
from liquid_mono3d_ros.checks import Array, check_covariance, check_finite


def to_stamp(time: Time) -> int:
    """Return a ROS time as integer nanoseconds."""
    return time.sec * r.SECOND + time.nanosec


def from_stamp(stamp: int) -> Time:
    """Return integer nanoseconds as a ROS time."""
    sec, nanosec = divmod(stamp, r.SECOND)
    return Time(sec=sec, nanosec=nanosec)


def header(stamp: int, frame_id: str) -> Header:
    """Return a header."""
    return Header(stamp=from_stamp(stamp), frame_id=frame_id)


def point(xyz: Array) -> Point:
    """Return (3,) as a Point."""
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector(xyz: Array) -> Vector3:
    """Return (3,) as a Vector3."""
    return Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def xyz(value: Point | Vector3) -> tuple[float, float, float]:
    """Return a Point or Vector3 as a tuple."""
    return value.x, value.y, value.z


def tracks2d_to_msg(tracks: r.Tracks2D) -> m.Track2DArray:
    """Return 2D tracks as a message."""
    message = m.Track2DArray(
        header=header(tracks.stamp, tracks.frame_id),
        camera=tracks.camera,
        width=tracks.width,
        height=tracks.height,
        epoch=tracks.epoch,
    )
    message.tracks = [
        m.Track2D(
            track_id=int(tracks.track_id[i]),
            u=float(tracks.uv[i, 0]),
            v=float(tracks.uv[i, 1]),
            covariance=tracks.covariance[i].ravel(),
            velocity=tracks.velocity[i],
            bbox=tracks.bbox[i],
            class_id=tracks.class_id[i],
            score=float(tracks.score[i]),
            state=int(tracks.state[i]),
            measured=bool(tracks.measured[i]),
        )
        for i in range(len(tracks))
    ]
    return message


def tracks2d_from_msg(message: m.Track2DArray) -> r.Tracks2D:
    """Return a message as 2D tracks.

    Raises:
        ValueError: If a pixel or a covariance is not finite.
    """
    tracks = message.tracks
    uv = _array([(t.u, t.v) for t in tracks], (2,))
    covariance = _array([t.covariance for t in tracks], (4,)).reshape(-1, 2, 2)
    check_finite("tracks[].u, v", uv)
    check_covariance("tracks[].covariance", covariance)
    return r.Tracks2D(
        camera=message.camera,
        stamp=to_stamp(message.header.stamp),
        width=message.width,
        height=message.height,
        epoch=message.epoch,
        track_id=np.array([t.track_id for t in tracks], np.uint64),
        uv=uv,
        covariance=covariance,
        velocity=_array([t.velocity for t in tracks], (2,)),
        bbox=_array([t.bbox for t in tracks], (4,)),
        score=_array([t.score for t in tracks], ()),
        state=np.array([t.state for t in tracks], np.uint8),
        measured=np.array([t.measured for t in tracks], bool),
        class_id=tuple(t.class_id for t in tracks),
        frame_id=message.header.frame_id,
    )


def points3d_to_msg(points: r.Points3D) -> m.Point3DArray:
    """Return 3D points as a message."""
    message = m.Point3DArray(
        header=header(points.stamp, points.frame_id),
        epoch=points.epoch,
    )
    message.points = [
        m.Point3D(
            track_id=int(points.track_id[i]),
            kind=int(points.kind[i]),
            position=point(points.xyz[i]),
            covariance=points.covariance[i].ravel(),
            systematic_covariance=points.systematic_covariance[i].ravel(),
            ray_origin=point(points.ray_origin[i]),
            ray_direction=vector(points.ray_direction[i]),
            ray_covariance=points.ray_covariance[i].ravel(),
            reprojection_error_px=float(points.reprojection_error_px[i]),
            parallax_rad=float(points.parallax_rad[i]),
            sightings=[_sighting_to_msg(s) for s in points.sightings[i]],
        )
        for i in range(len(points))
    ]
    return message


def points3d_from_msg(message: m.Point3DArray) -> r.Points3D:
    """Return a message as 3D points; their values are checked by the filter, point by point."""
    points = message.points
    return r.Points3D(
        stamp=to_stamp(message.header.stamp),
        frame_id=message.header.frame_id,
        epoch=message.epoch,
        track_id=np.array([p.track_id for p in points], np.uint64),
        kind=np.array([p.kind for p in points], np.uint8),
        xyz=_array([xyz(p.position) for p in points], (3,)),
        covariance=_array([p.covariance for p in points], (9,)).reshape(-1, 3, 3),
        systematic_covariance=_array([p.systematic_covariance for p in points], (9,)).reshape(
            -1, 3, 3
        ),
        ray_origin=_array([xyz(p.ray_origin) for p in points], (3,)),
        ray_direction=_array([xyz(p.ray_direction) for p in points], (3,)),
        ray_covariance=_array([p.ray_covariance for p in points], (4,)).reshape(-1, 2, 2),
        reprojection_error_px=_array([p.reprojection_error_px for p in points], ()),
        parallax_rad=_array([p.parallax_rad for p in points], ()),
        sightings=tuple(tuple(_sighting_from_msg(s) for s in p.sightings) for p in points),
    )


def _sighting_to_msg(sighting: r.Sighting) -> m.Sighting:
    return m.Sighting(
        camera=sighting.camera,
        track2d_id=int(sighting.track2d_id),
        stamp=from_stamp(sighting.stamp),
        residual_px=sighting.residual_px,
        measured=sighting.measured,
    )


def _sighting_from_msg(message: m.Sighting) -> r.Sighting:
    return r.Sighting(
        camera=message.camera,
        track2d_id=message.track2d_id,
        stamp=to_stamp(message.stamp),
        residual_px=np.array(message.residual_px),
        measured=message.measured,
    )


def trajectory_to_msg(trajectory: r.Trajectory, frame_id: str) -> m.Trajectory:
    """Return one filtered state as a message."""
    return m.Trajectory(
        header=header(trajectory.stamp, frame_id),
        track_id=int(trajectory.track_id),
        epoch=trajectory.epoch,
        state=int(trajectory.state),
        measured=bool(trajectory.measured),
        position=point(trajectory.xyz),
        velocity=vector(trajectory.velocity),
        covariance=trajectory.covariance.ravel(),
        filter=int(trajectory.filter),
        health=int(trajectory.health),
        last_measured=from_stamp(trajectory.last_measured),
        num_cameras=trajectory.num_cameras,
        persistence=float(trajectory.persistence),
        predictions=[
            m.Prediction(
                time_from_stamp=_duration(p.after),
                position=point(p.xyz),
                covariance=p.covariance.ravel(),
            )
            for p in trajectory.predictions
        ],
    )


def trajectory_from_msg(message: m.Trajectory) -> r.Trajectory:
    """Return a message as a filtered state.

    Raises:
        ValueError: If a number that must be known is not finite.
    """
    trajectory = r.Trajectory(
        stamp=to_stamp(message.header.stamp),
        track_id=message.track_id,
        epoch=message.epoch,
        state=r.State(message.state),
        measured=message.measured,
        xyz=np.array(xyz(message.position)),
        velocity=np.array(xyz(message.velocity)),
        covariance=np.array(message.covariance).reshape(6, 6),
        filter=r.FilterKind(message.filter),
        health=r.Health(message.health),
        last_measured=to_stamp(message.last_measured),
        persistence=message.persistence,
        num_cameras=message.num_cameras,
        predictions=tuple(
            r.Prediction(
                after=p.time_from_stamp.sec * r.SECOND + p.time_from_stamp.nanosec,
                xyz=np.array(xyz(p.position)),
                covariance=np.array(p.covariance).reshape(3, 3),
            )
            for p in message.predictions
        ),
    )
    check_finite("position", trajectory.xyz)
    check_finite("velocity", trajectory.velocity)
    check_covariance("covariance", trajectory.covariance)
    return trajectory


def trajectories_to_msg(trajectories: r.Trajectories) -> m.TrajectoryArray:
    """Return every filtered state at one instant as a message."""
    frame_id = trajectories.frame_id
    return m.TrajectoryArray(
        header=header(trajectories.stamp, frame_id),
        epoch=trajectories.epoch,
        trajectories=[trajectory_to_msg(t, frame_id) for t in trajectories.trajectories],
    )


def facts_to_msg(facts: r.Facts) -> m.Facts:
    """Return facts as a message; both sides have the same field names."""
    message = m.Facts(
        header=header(facts.stamp, facts.frame_id),
        track_id=int(facts.track_id),
        epoch=facts.epoch,
        start=from_stamp(facts.start),
        end=from_stamp(facts.end),
    )
    for name in message.get_fields_and_field_types():
        value = getattr(facts, name, None)
        if isinstance(value, r.Quantity):
            setattr(message, name, _quantity(value))
        elif isinstance(value, r.Label):
            setattr(message, name, _label(value))
        elif isinstance(value, tuple):
            setattr(message, name, [_quantity(q) for q in value])
    return message


def facts_from_msg(message: m.Facts) -> r.Facts:
    """Return a message as facts; both sides have the same field names."""
    values = {}
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if isinstance(value, m.Quantity):
            values[name] = r.Quantity(value.value, value.sigma)
        elif isinstance(value, m.Label):
            values[name] = r.Label(value.value, value.confidence)
        elif isinstance(value, Sequence):
            values[name] = tuple(r.Quantity(q.value, q.sigma) for q in value)
    return r.Facts(
        stamp=to_stamp(message.header.stamp),
        frame_id=message.header.frame_id,
        track_id=message.track_id,
        epoch=message.epoch,
        start=to_stamp(message.start),
        end=to_stamp(message.end),
        **values,
    )


def description_to_msg(description: r.Description, latency: float) -> m.TrajectoryDescription:
    """Return words as a message; ``latency`` in seconds."""
    facts = description.facts
    return m.TrajectoryDescription(
        header=header(facts.stamp, facts.frame_id),
        track_id=int(facts.track_id),
        epoch=facts.epoch,
        text=description.text,
        backend=description.backend,
        model_hash=description.model_hash,
        verified=description.verified,
        unsupported=list(description.unsupported),
        evidence=list(description.evidence),
        latency=latency,
        facts=facts_to_msg(facts),
    )


def _quantity(quantity: r.Quantity) -> m.Quantity:
    return m.Quantity(
        value=float(quantity.value), sigma=float(quantity.sigma), known=quantity.known
    )


def _label(label: r.Label) -> m.Label:
    return m.Label(value=label.value, confidence=float(label.confidence), known=label.known)


def _duration(difference: int) -> Duration:
    sec, nanosec = divmod(difference, r.SECOND)
    return Duration(sec=sec, nanosec=nanosec)


def _array(rows: Sequence[object], tail: tuple[int, ...]) -> Array:
    return np.array(rows, float).reshape(len(rows), *tail)
