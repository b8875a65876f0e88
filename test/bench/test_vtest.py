"""What is drawn into the real video; no test needs it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.bench import vtest

RED = (0, 0, 255)


def test_a_video_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A red square walks through grey noise."""
    rng = np.random.default_rng(0)
    path = tmp_path / "vtest.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for k in range(70):
        image = np.full((240, 320, 3), 120, np.uint8) + rng.integers(0, 4, (240, 320, 3), np.uint8)
        image[100:140, 4 * k : 4 * k + 20] = RED
        writer.write(image)
    writer.release()
    monkeypatch.setattr(vtest, "fetch_opencv_samples", lambda: tmp_path)
    monkeypatch.setattr(vtest, "SHOWN", (50, 55, 60, 65))
    row = vtest.measure(tmp_path / "out" / "picture.png")
    assert row["scene"] == "vtest.avi, 70 images"
    assert row["tracks"] == 1
    assert row["images_per_s"] == pytest.approx(1000 / row["ms_per_frame"])
    picture = cv2.imread(str(tmp_path / "out" / "picture.png"))
    assert picture.shape == (480, 640, 3)
