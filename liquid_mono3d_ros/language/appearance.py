"""Glances of one track → its colour, size, elongation, blinking and rigidity, or unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.silhouette import HUES, Glance
from liquid_mono3d_ros.records import Label, Quantity
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking.crops import MARGIN

CONFIDENCE = 0.98
"""Of every word that is stated: in rendered scenes, at least this share of them is right."""


@dataclass(frozen=True)
class AppearanceSettings(Settings):
    """When a fact of appearance is known."""

    glances: int = setting(
        8, "crops that show the object, before anything is known", bounds=(3, 1000)
    )
    filled: float = setting(
        0.4, "longest side of the silhouette over that of the window, at least", bounds=(0.1, 0.9)
    )
    colour_share: float = setting(
        0.9,
        "of the chroma that has the named hue, and of the crops that say so",
        bounds=(0.5, 1.0),
    )
    coloured: float = setting(22.0, "chroma from which an object has a hue", bounds=(5.0, 100.0))
    colourless: float = setting(
        14.0, "chroma up to which it is white, grey or black", bounds=(1.0, 50.0)
    )
    blink_lightness: float = setting(
        8.0, "change of CIELAB lightness between light and dark that blinks", bounds=(1.0, 100.0)
    )
    steady_lightness: float = setting(
        5.0, "largest change of lightness of what does not blink", bounds=(0.1, 100.0)
    )
    steady_time: float = setting(
        1.5, "watched this long before it is said not to blink", unit="s", bounds=(0.1, 60.0)
    )
    fastest_blink: float = setting(
        0.15, "longest time between two crops that sees every blink", unit="s", bounds=(0.01, 1.0)
    )
    box_share: float = setting(
        0.12, "a silhouette fits that is as large as the tracked box to this", bounds=(0.01, 0.5)
    )
    unity: float = setting(
        0.85, "one that fits is whole if its largest piece is this share of it", bounds=(0.1, 1.0)
    )
    whole_share: float = setting(
        0.6,
        "of the silhouettes that must fit, for a size, and be whole, for the rest but a hue",
        bounds=(0.1, 1.0),
    )
    size_share: float = setting(
        0.04, "sigma of a size besides that of the distance, as a share of it", bounds=(0.0, 0.5)
    )
    elongation_share: float = setting(
        0.05, "sigma of an elongation besides its spread, as a share of it", bounds=(0.0, 0.5)
    )
    elongation_spread: float = setting(
        0.08, "of the elongation over the crops, as a share of it, at most", bounds=(0.01, 1.0)
    )
    rigid_overlap: float = setting(
        0.85, "outlines that overlap their mean by this are of a rigid object", bounds=(0.5, 1.0)
    )
    articulated_overlap: float = setting(
        0.8, "outlines that overlap their mean by less change their form", bounds=(0.1, 1.0)
    )
    articulated_solidity: float = setting(
        0.05, "sigma of the solidity of an object that changes its form", bounds=(0.005, 0.5)
    )
    articulated_whole: float = setting(
        0.85, "of its silhouettes that must be whole, so that none is torn", bounds=(0.1, 1.0)
    )


@dataclass(frozen=True)
class Appearance:
    """What a track looks like; fields as in ``Facts``."""

    colour: Label = field(default_factory=Label)
    blinking: Label = field(default_factory=Label)
    rigidity: Label = field(default_factory=Label)
    size: Quantity = field(default_factory=Quantity)
    elongation: Quantity = field(default_factory=Quantity)


def judge_appearance(
    glances: Sequence[Glance | None], settings: AppearanceSettings | None = None
) -> Appearance:
    """Say what the crops of one track agree on.

    - colour: the hue of most of the chroma; without chroma white, grey or black. What blinks in
      two greys has no colour.
    - blinking: lightness goes to and fro between two levels. "No" needs crops often enough and
      long enough to have seen it.
    - size: longest side of the upright box, from the silhouette and the tracker's window together.
    - elongation: of the smallest rectangle around the silhouette.
    - rigidity: whether the outline keeps its form. A rigid thing that turns in space may change
      its outline; "articulated" therefore asks for a changing solidity, too, which a convex one
      that turns does not have.

    Args:
        glances: Of consecutive crops, oldest first; None where nothing stood out.
        settings: When a fact is known.
    """
    settings = settings or AppearanceSettings()
    seen = [one for one in glances if one is not None and one.extent >= settings.filled]
    if len(seen) < settings.glances:
        return Appearance()
    enough = max(settings.glances, settings.whole_share * len(seen))
    fitting = [one for one in seen if abs(one.extent * MARGIN - 1) <= settings.box_share]
    whole = [one for one in fitting if one.unity >= settings.unity]
    found = Appearance(
        colour=_colour(seen, settings, whole=len(whole) >= enough),
        size=_size(fitting, settings) if len(fitting) >= enough else Quantity(),
    )
    if len(whole) < enough:
        return found
    return replace(
        found,
        blinking=_blinking(whole, settings, complete=len(whole) >= 0.85 * len(glances)),
        rigidity=_rigidity(whole, settings, whole_share=len(whole) / len(seen)),
        elongation=_elongation(whole, settings),
    )


def _colour(glances: Sequence[Glance], settings: AppearanceSettings, *, whole: bool) -> Label:
    chroma = _percentile([one.chroma for one in glances], 70)
    if chroma >= settings.coloured:
        label = _named_hue(glances, settings)
        return label if whole or label.value not in _BY_LIGHTNESS else Label()
    return _named_grey(glances) if chroma <= settings.colourless else Label()


def _named_hue(glances: Sequence[Glance], settings: AppearanceSettings) -> Label:
    hues = np.array([one.hues for one in glances])  # (G, 8)
    total = hues.sum(axis=0)
    best = int(total.argmax())
    agreeing = float(np.mean(hues.argmax(axis=1) == best))
    if total[best] / total.sum() * agreeing < settings.colour_share:
        return Label()
    word = _shade(HUES[best], _percentile([one.lightness_range[1] for one in glances], 80))
    return Label(word, CONFIDENCE) if word else Label()


_BY_LIGHTNESS = ("brown", "pink")
"""Words that need the whole object: dark marks on it have its hue."""


def _shade(hue: str, lightness: float) -> str:
    """Return the word of a hue at a lightness: dark orange is brown, light red is pink."""
    if hue == "orange":
        if 34 < lightness < 50:
            return ""
        return "brown" if lightness <= 34 else hue
    if hue == "red" and lightness > 66:
        return "pink" if lightness > 72 else ""
    return hue


def _named_grey(glances: Sequence[Glance]) -> Label:
    dark = _percentile([one.lightness_range[0] for one in glances], 20)
    light = _percentile([one.lightness_range[1] for one in glances], 80)
    levels = [one.lightness for one in glances]
    if _percentile(levels, 90) - _percentile(levels, 10) > 25:
        return Label()  # light and dark by turns
    if light > 80:
        return Label("white", CONFIDENCE)
    if dark < 25 and light < 76:
        return Label("black", CONFIDENCE)
    if dark > 40 and light < 70:
        return Label("grey", CONFIDENCE)
    return Label()


def _blinking(glances: Sequence[Glance], settings: AppearanceSettings, *, complete: bool) -> Label:
    times = np.array([one.time for one in glances])
    level = np.array([one.lightness for one in glances])
    low, high = np.percentile(level, (15, 85))
    lit = level > (low + high) / 2
    changes = int((lit[1:] != lit[:-1]).sum())
    if high - low >= settings.blink_lightness and changes >= 3:
        noise = math.sqrt((lit.mean() * level[lit].var()) + (~lit).mean() * level[~lit].var())
        return Label("yes", CONFIDENCE) if high - low > 3 * noise else Label()
    often = bool(np.quantile(np.diff(times), 0.9) <= settings.fastest_blink)
    long = times[-1] - times[0] >= settings.steady_time
    if complete and often and long and np.ptp(level) <= 4 * settings.steady_lightness:
        few, many = np.percentile([one.share for one in glances], (10, 90))
        steady = high - low <= settings.steady_lightness and many <= 1.5 * few
        return Label("no", CONFIDENCE) if steady else Label()
    return Label()


def _size(glances: Sequence[Glance], settings: AppearanceSettings) -> Quantity:
    """Return the geometric mean of two sizes: that of the silhouette and that of the box."""
    known = [one for one in glances if math.isfinite(one.metres)]
    if len(known) < settings.glances:
        return Quantity()
    each = [one.metres * math.sqrt(one.extent / MARGIN) for one in known]
    value = float(np.median(each))
    far = _percentile([one.metres_sigma / one.metres for one in known], 50)
    sigma = value * math.hypot(settings.size_share, far)
    return Quantity(value, sigma) if value > 3 * sigma else Quantity()


def _elongation(glances: Sequence[Glance], settings: AppearanceSettings) -> Quantity:
    each = [one.elongation for one in glances]
    low, value, high = np.percentile(each, (16, 50, 84))
    spread = float(high - low) / 2
    if spread > settings.elongation_spread * value:
        return Quantity()
    return Quantity(float(value), math.hypot(spread, settings.elongation_share * float(value)))


def _rigidity(
    glances: Sequence[Glance], settings: AppearanceSettings, *, whole_share: float
) -> Label:
    outlines = np.array([one.outline for one in glances])  # (G, 32, 32)
    mean = outlines.mean(axis=0) > 0.5
    overlaps = [_overlap(one, mean) for one in outlines]
    middle = _percentile(overlaps, 50)
    if middle >= settings.rigid_overlap and _percentile(overlaps, 20) >= 0.75:
        return Label("rigid", CONFIDENCE)
    one_piece = _percentile([one.unity for one in glances], 20) >= 0.95
    solidity = float(np.std([one.solidity for one in glances]))
    changes = middle <= settings.articulated_overlap and solidity >= settings.articulated_solidity
    untorn = whole_share >= settings.articulated_whole and one_piece
    return Label("articulated", CONFIDENCE) if changes and untorn else Label()


def _overlap(one: Array, other: Array) -> float:
    return float((one & other).sum() / max(int((one | other).sum()), 1))


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent))
