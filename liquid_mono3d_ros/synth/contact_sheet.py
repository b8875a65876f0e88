"""A picture of pictures: crops of some objects, each row with what is true of it beneath."""

from __future__ import annotations

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.synth.captions import caption, labels_of
from liquid_mono3d_ros.synth.sights import Sights

SIDE, SHOWN = 56, 6
"""Of a crop, px, and how many of a row."""
COLUMNS, LINES, LINE = 3, 4, 11
"""Of the sheet; lines of text a row, and their height, px."""
GAP = 6
"""px."""
LEVELS = 16
"""Grey levels: noise costs bytes."""


def draw_sheet(sights: Sights, rows: int = 24) -> Array:
    """Return the first objects of the scenes, (H, W, 3) uint8 BGR, to be written as a picture.

    Args:
        sights: At least as many scenes as rows.
        rows: How many strips.

    Raises:
        ValueError: If there are fewer scenes.
    """
    if not 1 <= rows <= len(sights):
        rule = f"between 1 and the number of scenes, {len(sights)}"
        raise ValueError(complain("rows", rule, str(rows), "Draw more scenes."))
    strips = [_strip(sights, n) for n in range(rows)]
    blank = np.full_like(strips[0], 255)
    strips += [blank] * (-rows % COLUMNS)
    lines = [np.concatenate(strips[k : k + COLUMNS], 1) for k in range(0, len(strips), COLUMNS)]
    return np.concatenate(lines)


def _strip(sights: Sights, scene: int) -> Array:
    frames = np.flatnonzero(sights.seen[scene, 0])
    flash = sights.amount["flash_time"][scene, 0]
    chosen = frames[np.linspace(0, len(frames) - 1, SHOWN).astype(int)]
    if sights.label["flash"][scene, 0] >= 0:
        lit = frames[np.abs(sights.video_stamp[scene, frames] - flash).argmin()]
        chosen[np.abs(chosen - lit).argmin()] = lit
    crops = [cv2.resize(sights.crops[scene, 0, k], (SIDE, SIDE)) for k in chosen]
    step = 256 // LEVELS
    strip = np.concatenate(crops, axis=1) // step * step + step // 2
    width = strip.shape[1] + GAP
    canvas = np.full((SIDE + LINES * LINE + GAP, width, 3), 255, np.uint8)
    canvas[:SIDE, : strip.shape[1]] = strip[..., ::-1]
    text = caption(labels_of(sights.label, scene, 0), seed=scene)
    for k, line in enumerate(_wrapped(text, strip.shape[1])[:LINES]):
        place = (0, SIDE + (k + 1) * LINE - 2)
        cv2.putText(canvas, line, place, _FONT, _SIZE, (0, 0, 0), 1, cv2.LINE_8)
    return canvas


_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.32


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if cv2.getTextSize(longer, _FONT, _SIZE, 1)[0][0] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
