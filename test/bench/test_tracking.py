"""The benchmark of the 2D tracker: its targets, its peers, its report."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from liquid_mono3d_ros.bench import tracking
from liquid_mono3d_ros.bench.report import tables
from liquid_mono3d_ros.bench.track_scenes import SCENES, crowd
from liquid_mono3d_ros.bench.track_scores import score

BARS = dict(zip(SCENES, (4, 10, 6), strict=True))


@pytest.mark.parametrize("name", SCENES)
def test_identities_are_kept(name: str) -> None:
    scene = SCENES[name](7)
    result = score(scene.uv, scene.visible, tracking.track(scene, runs=1).images)
    assert result.switches <= BARS[name]
    assert result.coverage > 0.97
    assert result.false_tracks <= 5


def test_a_report_without_peers_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    report = tracking.measure(runs=1, seeds=1, peers_python=(), video=False)
    assert [row["scene"] for row in report.rows] == list(SCENES)
    assert {row["tracker"] for row in report.rows} == {tracking.OURS}
    names = [target.name for target in report.targets]
    assert names == ["crowd_ms_per_frame", "crowd_switches_worst", "small_switches_worst"]
    assert capsys.readouterr().out.count("is left out") == 3
    assert "ms_per_frame" in tables(report.document())


def test_a_peer_sees_the_same_detections(tmp_path: Path, monkeypatch) -> None:
    """A stand-in for a peer returns every detection as a track: the trip there and back."""
    script = tmp_path / "peers.py"
    script.write_text(
        "import sys, pathlib, numpy as np\n"
        "for path in pathlib.Path(sys.argv[3]).glob('*.scene.npz'):\n"
        "    scene = np.load(path)\n"
        "    np.savez(str(path).replace('.scene.', f'.{sys.argv[1]}.'), uv=scene['uv'],\n"
        "             number=scene['number'], track_id=np.arange(len(scene['uv'])),\n"
        "             ms_per_frame=2.5, version='echo 1')\n"
    )
    monkeypatch.setattr(tracking.track_peers, "__file__", str(script))
    scene = crowd(0, num_objects=3, num_images=4)
    found = tracking.track_with_peer("echo", {"few": scene}, 1, ("no-such-python", sys.executable))
    images = found["few"].images
    assert (found["few"].ms_per_frame, found["few"].version) == (2.5, "echo 1")
    assert [len(ids) for ids, _ in images] == [len(uv) for uv in scene.seen]
    assert all(np.array_equal(uv, seen) for (_, uv), seen in zip(images, scene.seen, strict=True))


def test_a_python_without_the_peer_gives_nothing(tmp_path: Path) -> None:
    scenes = {"few": crowd(0, num_objects=3, num_images=4)}
    assert tracking.track_with_peer("no-such-peer", scenes, 1, (sys.executable,)) == {}


def test_peers_play_when_they_are_installed() -> None:
    pytest.importorskip("trackers")
    scene = crowd(0, num_objects=5, num_images=30)
    found = tracking.track_with_peer("bytetrack", {"few": scene}, 1, (sys.executable,))
    assert score(scene.uv, scene.visible, found["few"].images).coverage > 0.7
