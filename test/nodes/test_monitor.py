"""What a node says of its inputs."""

import time

from liquid_mono3d_ros.nodes.monitor import SILENT_AFTER, InputMonitor
from liquid_mono3d_ros.records import nanoseconds


def fed(stamps):
    monitor = InputMonitor("/left/image_raw")
    for stamp in stamps:
        monitor.arrived(nanoseconds(stamp))
    return monitor


def test_a_steady_input_is_good():
    monitor = fed(i / 30 for i in range(60))
    assert abs(monitor.rate - 30) < 0.1
    assert monitor.lost_share < 0.01
    assert monitor.complaint(1) == ""


def test_half_of_the_images_lost_is_said_with_the_cure():
    kept = [i / 30 for i in range(200) if i % 5 in (0, 1)]
    monitor = fed(kept)
    assert 0.5 < monitor.lost_share < 0.7
    assert "shared-memory" in monitor.complaint(1)
    assert "/left/image_raw" in monitor.complaint(1)


def test_a_missing_publisher_is_named():
    assert "/left/image_raw: no publisher" in InputMonitor("/left/image_raw").complaint(0)


def test_silence_is_said(monkeypatch):
    monitor = fed([0.0, 0.1])
    later = time.monotonic() + SILENT_AFTER + 3
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert "silent for" in monitor.complaint(1)


def test_a_backward_stamp_starts_the_statistics_anew():
    monitor = fed([5.0, 5.1, 0.0, 0.1, 0.2])
    assert abs(monitor.rate - 10) < 0.01
