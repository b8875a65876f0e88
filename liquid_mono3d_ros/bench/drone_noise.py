"""Recorded drone flights made worse: the published degradation, drawn anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import yaml

from liquid_mono3d_ros.checks import Array

RATE = 15.0
"""About which is left of each camera's images, Hz."""
NOISE = 2.5
"""One sigma of each pixel coordinate, in an image 1920 pixels wide."""
DROPS = 0.15
"""Share of the labels that are missing one by one."""
BURST, BURST_EVERY = (0.5, 1.5), 15.0
"""Length of the gaps of each camera, s, and the mean time from one to the next, s."""
FALSE = 0.02
"""Share of the labels that lie anywhere in the image."""


def degrade(clean: str | Path, noisy: str | Path, seed: int) -> Path:
    """Write a noisy copy of a folder of clean labels.

    Args:
        clean: Folder as ``drone_data.read_flight`` reads it.
        noisy: Folder to write; it must not exist.
        seed: Of everything drawn.
    """
    clean, noisy = Path(clean), Path(noisy)
    noisy.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    content = yaml.safe_load((clean / "cameras.yaml").read_text(encoding="utf-8"))
    for name, camera in content["cameras"].items():
        rows = np.loadtxt(clean / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)
        divider = max(1, round(camera["fps"] / RATE))
        camera["frame_divider"] = divider
        kept = degraded(rows[rows[:, 0] % divider == 0], camera["width"], camera["height"], rng)
        header, form = "frame,t,u,v", ("%d", "%.5f", "%.2f", "%.2f")
        np.savetxt(noisy / f"{name}.csv", kept, form, ",", header=header, comments="")
    (noisy / "cameras.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    shutil.copy(clean / "truth.csv", noisy / "truth.csv")
    return noisy


def degraded(rows: Array, width: int, height: int, rng: np.random.Generator) -> Array:
    """Return labels with noise, some missing and some false.

    Args:
        rows: frame, t s, u px, v px; (K, 4), ascending.
        width: Of the image, px.
        height: Of the image, px.
        rng: Source of everything drawn.
    """
    rows = rows[rng.random(len(rows)) >= DROPS]
    begin, end = (rows[0, 1], rows[-1, 1]) if len(rows) else (0.0, 0.0)
    gaps = rng.poisson((end - begin) / BURST_EVERY)
    starts, lengths = rng.uniform(begin, end, gaps), rng.uniform(*BURST, gaps)
    after = rows[:, 1, None] - starts  # (K, G)
    rows = rows[~((after >= 0) & (after < lengths)).any(axis=1)]
    uv = rows[:, 2:] + rng.normal(0.0, NOISE * width / 1920, (len(rows), 2))
    anywhere = rng.random((len(rows), 2)) * [width, height]
    uv = np.where(rng.random((len(rows), 1)) < FALSE, anywhere, uv)
    return np.column_stack([rows[:, :2], uv])
