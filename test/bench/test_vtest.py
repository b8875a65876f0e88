"""The real video: how it is fetched, and what is drawn; no test needs the network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.bench import vtest

RED = (0, 0, 255)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what a test puts there; the package is not installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(vtest, "INSTALLED", "nowhere/vtest.avi")
    return folder


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_apt_a_sentence_says_so(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(vtest.VideoUnavailable, match=r"this machine has no apt-get.*left out"):
        vtest.fetch(tmp_path / "cache")


def test_without_network_the_sentence_is_that_of_apt(tools: Path, tmp_path: Path) -> None:
    put(tools, "apt-get", "echo 'E: Could not resolve host.' >&2; exit 100")
    with pytest.raises(vtest.VideoUnavailable, match=r"E: Could not resolve host\. Its rows"):
        vtest.fetch(tmp_path / "cache")


def test_another_file_is_refused_and_not_kept(tools: Path, tmp_path: Path) -> None:
    put(tools, "apt-get", "touch opencv-doc.deb")
    put(tools, "dpkg-deb", "mkdir nowhere; echo other > nowhere/vtest.avi")
    with pytest.raises(vtest.VideoUnavailable, match=r"vtest\.avi must be of sha256 45cddc"):
        vtest.fetch(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_fetched_video_is_kept_alone(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tools, "apt-get", "touch opencv-doc.deb")
    put(tools, "dpkg-deb", "mkdir nowhere; printf walkers > nowhere/vtest.avi")
    monkeypatch.setattr(vtest, "SHA256", hashlib.sha256(b"walkers").hexdigest())
    path = vtest.fetch(tmp_path / "cache")
    assert path.read_bytes() == b"walkers"
    assert list(path.parent.iterdir()) == [path]
    (tools / "apt-get").unlink()
    assert vtest.fetch(tmp_path / "cache") == path


def test_a_video_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A red square walks through grey noise."""
    rng = np.random.default_rng(0)
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for k in range(70):
        image = np.full((240, 320, 3), 120, np.uint8) + rng.integers(0, 4, (240, 320, 3), np.uint8)
        image[100:140, 4 * k : 4 * k + 20] = RED
        writer.write(image)
    writer.release()
    monkeypatch.setattr(vtest, "fetch", lambda: path)
    monkeypatch.setattr(vtest, "SHOWN", (50, 55, 60, 65))
    row = vtest.measure(tmp_path / "out" / "picture.png")
    assert row["scene"] == "vtest.avi, 70 images"
    assert row["tracks"] == 1
    assert row["images_per_s"] == pytest.approx(1000 / row["ms_per_frame"])
    picture = cv2.imread(str(tmp_path / "out" / "picture.png"))
    assert picture.shape == (480, 640, 3)
