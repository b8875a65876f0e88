"""Whole views: one object on its way through a small picture, for the video encoder."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.synth.attributes import COLOURS, MARKINGS, SHAPES
from liquid_mono3d_ros.synth.backdrops import draw_backdrop
from liquid_mono3d_ros.synth.crops import Sight, draw_noise, render_crops
from liquid_mono3d_ros.synth.looks import draw_look
from liquid_mono3d_ros.synth.staging import Staging
from liquid_mono3d_ros.synth.windows import CROP, Windows

EXTENT = (7.0, 18.0)
"""Longest side of the object, px."""
INSET = 6.0
"""The middle of the object stays so far from the border, px."""


def draw_views(staging: Staging, n: int, seed: int) -> tuple[Array, Array]:
    """Draw clips of a fixed camera in which one object moves.

    The object goes from one place of the picture to another along a bow, at a speed that rises
    and falls; the scenery, the light and the noise are those of the split's crops.

    Args:
        staging: Split, duration and rate count.
        n: Clips.
        seed: Fewer clips of the same seed are the first of them.

    Returns:
        RGB clips (n, T, 64, 64, 3) uint8, and the object's middle, (n, T, 2) px.
    """
    if n < 1:
        raise ValueError(complain("n", "at least 1", str(n), "Give the number of clips."))
    clips = np.empty((n, staging.num_frames, CROP, CROP, 3), np.uint8)
    uv = np.empty((n, staging.num_frames, 2))
    for k in range(n):
        rng = staging.generator(seed, k)
        uv[k] = _draw_way(staging.num_frames, rng)
        clips[k] = _render(staging, uv[k], rng)
    return clips, uv


def _draw_way(num_frames: int, rng: np.random.Generator) -> Array:
    """Return where the object is, (T, 2) px."""
    low, high = INSET, CROP - 1 - INSET
    start, end = rng.uniform(low, high, (2, 2))
    part = np.linspace(0, 1, num_frames)
    part = part + rng.uniform(-0.15, 0.15) * np.sin(2 * np.pi * part)
    bow = rng.normal(0.0, 12.0, 2) * (4 * part * (1 - part))[:, None]
    return np.asarray(np.clip(start + (end - start) * part[:, None] + bow, low, high))


def _render(staging: Staging, uv: Array, rng: np.random.Generator) -> Array:
    frames = len(uv)
    kinds = (rng.integers(len(words)) for words in (SHAPES, COLOURS, MARKINGS))
    shape, colour, marking = map(int, kinds)
    direction = int(rng.integers(4)) if MARKINGS[marking] == "striped" else -1
    t = np.arange(frames) / staging.video_rate
    sight = Sight(
        look=draw_look(shape, colour, marking, direction, rng),
        uv=uv,
        extent=np.full(frames, rng.uniform(*EXTENT)),
        turn=0.1 * np.sin(rng.uniform(1, 4) * t + rng.uniform(0, 6)),
        dim=np.zeros(frames, bool),
        flash=np.zeros(frames),
        backdrop=draw_backdrop(staging.split, rng),
        corner=-rng.uniform(0, 40, 2),
        grain=rng.uniform(0.5, 1.0),
        bar=None,
        companion=None,
        gain=rng.uniform(0.8, 1.12) * rng.uniform(0.95, 1.05, 3) * np.ones((frames, 1)),
        noise=float(rng.uniform(1.0, 5.0)),
        exposure=float(rng.uniform(0.001, 0.008)),
        velocity=np.gradient(uv, t, axis=0),
    )
    windows = Windows(np.zeros((frames, 2)), np.full(frames, float(CROP)))
    return render_crops(sight, windows, draw_noise(rng), rng)
