"""Crops of one image ↔ their message."""

from __future__ import annotations

import numpy as np
from liquid_mono3d.msg import TrackCrop, TrackCropArray

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.nodes.messages import header, to_stamp
from liquid_mono3d_ros.records import Frame, Tracks2D
from liquid_mono3d_ros.tracking.crops import Crop, crop_tracks


def crops_to_msg(frame: Frame, tracks: Tracks2D) -> TrackCropArray:
    """Cut out the tracks of an image."""
    track_ids, pictures, sides = crop_tracks(frame, tracks)
    return TrackCropArray(
        header=header(frame.stamp, frame.frame_id),
        camera=frame.camera,
        epoch=tracks.epoch,
        crops=[
            TrackCrop(
                track2d_id=int(i),
                side_px=float(side),
                data=np.ascontiguousarray(picture).reshape(-1),
            )
            for i, picture, side in zip(track_ids, pictures, sides, strict=True)
        ],
    )


def crops_from_msg(message: TrackCropArray) -> list[Crop]:
    """Return the crops of a message.

    Raises:
        ValueError: If the side of a window is not a positive number.
    """
    stamp = to_stamp(message.header.stamp)
    crops = []
    for crop in message.crops:
        if not 0 < crop.side_px < np.inf:
            cure = "Say how large the window was."
            raise ValueError(complain("side_px", "positive", f"{crop.side_px:g}", cure))
        rgb = np.asarray(crop.data, np.uint8).reshape(64, 64, 3)
        crops.append(Crop(message.camera, stamp, crop.track2d_id, rgb, crop.side_px))
    return crops
