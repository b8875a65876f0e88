"""Decoded ROS messages → records, by the names of their fields; needs no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import (
    SECOND,
    Description,
    Facts,
    FilterKind,
    Health,
    Label,
    Points3D,
    Prediction,
    Quantity,
    Sighting,
    State,
    Tracks2D,
    Trajectories,
    Trajectory,
)


def tracks2d_from_message(message: Any) -> Tracks2D:
    """Return a Track2DArray as a record."""
    tracks = message.tracks
    return Tracks2D(
        camera=message.camera,
        stamp=stamp_from_message(message.header.stamp),
        width=message.width,
        height=message.height,
        epoch=message.epoch,
        track_id=np.array([t.track_id for t in tracks], np.uint64),
        uv=_rows([(t.u, t.v) for t in tracks], 2),
        covariance=_rows([t.covariance for t in tracks], 2, 2),
        velocity=_rows([t.velocity for t in tracks], 2),
        bbox=_rows([t.bbox for t in tracks], 4),
        score=_rows([t.score for t in tracks]),
        state=np.array([t.state for t in tracks], np.uint8),
        measured=np.array([t.measured for t in tracks], bool),
        class_id=tuple(t.class_id for t in tracks),
        frame_id=message.header.frame_id,
    )


def points3d_from_message(message: Any) -> Points3D:
    """Return a Point3DArray as a record."""
    points = message.points
    return Points3D(
        stamp=stamp_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        epoch=message.epoch,
        track_id=np.array([p.track_id for p in points], np.uint64),
        kind=np.array([p.kind for p in points], np.uint8),
        xyz=_rows([_xyz(p.position) for p in points], 3),
        covariance=_rows([p.covariance for p in points], 3, 3),
        systematic_covariance=_rows([p.systematic_covariance for p in points], 3, 3),
        ray_origin=_rows([_xyz(p.ray_origin) for p in points], 3),
        ray_direction=_rows([_xyz(p.ray_direction) for p in points], 3),
        ray_covariance=_rows([p.ray_covariance for p in points], 2, 2),
        reprojection_error_px=_rows([p.reprojection_error_px for p in points]),
        parallax_rad=_rows([p.parallax_rad for p in points]),
        sightings=tuple(tuple(_sighting(s) for s in p.sightings) for p in points),
    )


def _sighting(message: Any) -> Sighting:
    return Sighting(
        camera=message.camera,
        track2d_id=message.track2d_id,
        stamp=stamp_from_message(message.stamp),
        residual_px=np.array(message.residual_px, float),
        measured=message.measured,
    )


def trajectories_from_message(message: Any) -> Trajectories:
    """Return a TrajectoryArray as a record."""
    return Trajectories(
        stamp=stamp_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        epoch=message.epoch,
        trajectories=tuple(_trajectory(t) for t in message.trajectories),
    )


def _trajectory(message: Any) -> Trajectory:
    return Trajectory(
        stamp=stamp_from_message(message.header.stamp),
        track_id=message.track_id,
        epoch=message.epoch,
        state=State(message.state),
        measured=message.measured,
        xyz=_xyz(message.position),
        velocity=_xyz(message.velocity),
        covariance=np.array(message.covariance, float).reshape(6, 6),
        filter=FilterKind(message.filter),
        health=Health(message.health),
        last_measured=stamp_from_message(message.last_measured),
        persistence=message.persistence,
        num_cameras=message.num_cameras,
        predictions=tuple(
            Prediction(
                after=stamp_from_message(p.time_from_stamp),
                xyz=_xyz(p.position),
                covariance=np.array(p.covariance, float).reshape(3, 3),
            )
            for p in message.predictions
        ),
    )


def facts_from_message(message: Any) -> Facts:
    """Return Facts as a record; a fact that an older recording lacks is unknown."""
    values: dict[str, Any] = {"track_id": message.track_id, "epoch": message.epoch}
    for field in fields(Facts):
        if not hasattr(message, field.name):
            continue
        if isinstance(field.default, Label):
            label = getattr(message, field.name)
            values[field.name] = Label(label.value, label.confidence)
        elif isinstance(field.default, Quantity):
            values[field.name] = _quantity(getattr(message, field.name))
        elif isinstance(field.default, tuple):
            values[field.name] = tuple(map(_quantity, getattr(message, field.name)))
    return Facts(
        stamp=stamp_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        start=stamp_from_message(message.start),
        end=stamp_from_message(message.end),
        **values,
    )


def description_from_message(message: Any) -> Description:
    """Return a TrajectoryDescription as a record."""
    return Description(
        text=message.text,
        backend=message.backend,
        facts=facts_from_message(message.facts),
        model_hash=message.model_hash,
        verified=message.verified,
        unsupported=tuple(message.unsupported),
        evidence=tuple(getattr(message, "evidence", ())),
    )


def _quantity(message: Any) -> Quantity:
    return Quantity(message.value, message.sigma)


def stamp_from_message(time: Any) -> int:
    """Return a Time or Duration as integer nanoseconds."""
    return int(time.sec) * SECOND + int(time.nanosec)


def _xyz(value: Any) -> Array:
    return np.array([value.x, value.y, value.z], float)


def _rows(rows: Sequence[Any], *shape: int) -> Array:
    return np.array(rows, float).reshape(len(rows), *shape)
