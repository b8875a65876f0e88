"""What the learning benchmark learns from: sequences of which a share of the samples is missing.

Two tasks are drawn; the third is a public set, read from a package that ships it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.synth.paths import PATHS

RATE = 30.0
"""Samples per second before any are missing, Hz; a frame of the public set counts as one."""
TRAINING, UNSEEN = 2000, 1000
"""Sequences of the drawn tasks."""
MOTIONS = (
    *("line", "circle", "helix", "parabola"),
    *("figure_eight", "stop_and_go", "bounce", "hover"),
)
"""Kinds of motion to be told apart."""
SHIPS_VOWELS = ("aeon", "sktime")
"""Packages whose wheel has JapaneseVowels."""


class Sequences(NamedTuple):
    """N sequences, filled up with zeros to the longest, and what is to be learnt of each.

    Attributes:
        x: (N, T, I).
        dt: Time since the sample before, s, (N, T); a period for the first.
        last: Index of the last sample, (N,).
        target: A value for every sample (N, T), or a class for every sequence (N,) int.
    """

    x: Array
    dt: Array
    last: Array
    target: Array


class Task(NamedTuple):
    """A task: its number of classes, 1 for values; (seed, missing share) → training, unseen."""

    classes: int
    draw: Callable[[int, float], tuple[Sequences, Sequences]]


def sine(rng: np.random.Generator, num: int, missing: float = 0.5) -> Sequences:
    """Draw sines of 0.5 to 2 Hz whose phase wanders; the target is the value at the next sample.

    Inputs are the value, and the time to the next sample in periods.
    """
    t = _irregular(rng, num, total=60, missing=missing)  # (N, T + 1)
    gaps = np.diff(t, axis=1)
    wander = np.cumsum(rng.normal(0, 1, gaps.shape) * np.sqrt(gaps) * 0.5, axis=1)
    phase = rng.uniform(0, 2 * np.pi, (num, 1)) + np.pad(wander, ((0, 0), (1, 0)))
    y = np.sin(2 * np.pi * rng.uniform(0.5, 2.0, (num, 1)) * t + phase)
    x = np.stack([y[:, :-1], gaps * RATE], axis=2)
    return Sequences(x, _since(t[:, :-1]), np.full(num, x.shape[1] - 1), y[:, 1:])


def motions(rng: np.random.Generator, num: int, missing: float = 0.5) -> Sequences:
    """Draw one of our synthetic motions, turned, scaled and in another tempo, with 2 cm noise.

    Inputs are positions from the first sample on, m; the target is the kind of motion.
    """
    label = rng.integers(0, len(MOTIONS), num)
    t = _irregular(rng, num, total=60, missing=missing)
    x = np.zeros((*t.shape, 3))
    for n in range(num):
        angle, tempo = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.4)
        path = PATHS[MOTIONS[label[n]]]
        xyz = path.xyz(t[n] * tempo + rng.uniform(0, 1)) * rng.uniform(0.6, 1.6)
        c, s = np.cos(angle), np.sin(angle)
        turned = xyz @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        x[n] = turned - turned[0] + rng.normal(0, 0.02, xyz.shape)
    return Sequences(x, _since(t), np.full(num, t.shape[1] - 1), label)


def vowels(seed: int, missing: float) -> tuple[Sequences, Sequences]:
    """Return JapaneseVowels, training and test part, each series without a share of its frames.

    Which of nine speakers said it; 12 coefficients a frame, in the units of the training part's
    mean and deviation. A frame lasts 1 / RATE here (6.4 ms when it was recorded): the others'
    time constants fit, and a network that is told the time in frames sees no difference.

    Source: Kudo, Toyama & Shimbo, Multidimensional curve classification using passing-through
    regions, 1999. Frames are dropped as in Kidger et al., Neural controlled differential
    equations for irregular time series, 2020: an exact share of each series, all channels.

    Raises:
        FileNotFoundError: If no package that ships the set is installed.
    """
    folder = vowels_folder()
    if folder is None:
        cure = f"Install one of {', '.join(SHIPS_VOWELS)}."
        raise FileNotFoundError(complain("JapaneseVowels", "installed", "none", cure))
    parts = [read_ts(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST")]
    thinned = [
        _thinned(np.random.default_rng(first + seed), *part, missing)
        for first, part in zip((0, 10_000), parts, strict=True)
    ]
    frames = np.concatenate([x for x, _, _ in thinned[0]])
    middle, width = frames.mean(axis=0), frames.std(axis=0)
    trained, unseen = (
        _filled([((x - middle) / width, t, label) for x, t, label in part]) for part in thinned
    )
    return trained, unseen


def vowels_folder() -> Path | None:
    """Return where an installed package keeps JapaneseVowels; the package is not imported."""
    for package in SHIPS_VOWELS:
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            folder = Path(place, "datasets", "data", "JapaneseVowels")
            if folder.is_dir():
                return folder
    return None


def read_ts(path: Path) -> tuple[list[Array], Array]:
    """Read series of any lengths, (T, D) each, and their classes from 0 on.

    Source: the ``.ts`` format of the UEA archive: a header of ``@`` lines, then on each line the
    channels, separated by colons, and the class; values by commas.

    Raises:
        ValueError: If a class is not among those of the header.
    """
    names: list[str] = []
    series, classes = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lower().startswith("@classlabel"):
            names = line.split()[2:]
        if not line.strip() or line.startswith(("#", "@")):
            continue
        *channels, name = line.strip().split(":")
        if name not in names:
            cure = f"Check the header of {path.name}."
            raise ValueError(complain("class", f"one of {names}", repr(name), cure))
        series.append(np.array([channel.split(",") for channel in channels], dtype=float).T)
        classes.append(names.index(name))
    return series, np.array(classes)


def _drawn(
    make: Callable[[np.random.Generator, int, float], Sequences],
) -> Callable[[int, float], tuple[Sequences, Sequences]]:
    def draw(seed: int, missing: float) -> tuple[Sequences, Sequences]:
        trained = make(np.random.default_rng(seed), TRAINING, missing)
        return trained, make(np.random.default_rng(10_000 + seed), UNSEEN, missing)

    return draw


TASKS = {
    "sine": Task(1, _drawn(sine)),
    "motions": Task(len(MOTIONS), _drawn(motions)),
    "vowels": Task(9, vowels),
}


def _irregular(rng: np.random.Generator, num: int, *, total: int, missing: float) -> Array:
    """Return times of the samples that are left, jittered by a third of the period, (N, T) s."""
    kept = _left(total, missing)
    chosen = np.sort(rng.permuted(np.tile(np.arange(total), (num, 1)), axis=1)[:, :kept], axis=1)
    return np.asarray((chosen + rng.uniform(-1 / 3, 1 / 3, chosen.shape)) / RATE)


def _since(t: Array) -> Array:
    """Return the time since the sample before, a period for the first, (N, T) s."""
    check_shape("t", t, ("N", "T"))
    return np.pad(np.diff(t, axis=1), ((0, 0), (1, 0)), constant_values=1 / RATE)


def _left(total: int, missing: float) -> int:
    return max(1, round(total * (1 - missing)))


def _thinned(
    rng: np.random.Generator, series: Sequence[Array], classes: Array, missing: float
) -> list[tuple[Array, Array, int]]:
    """Return of each series the frames that are left (T, D), their times (T,) s and its class."""
    kept = []
    for x, label in zip(series, classes, strict=True):
        chosen = np.sort(rng.permutation(len(x))[: _left(len(x), missing)])
        kept.append((x[chosen], chosen / RATE, int(label)))
    return kept


def _filled(series: Sequence[tuple[Array, Array, int]]) -> Sequences:
    longest = max(len(x) for x, _, _ in series)
    x = np.zeros((len(series), longest, series[0][0].shape[1]))
    dt = np.zeros(x.shape[:2])
    for n, (values, t, _) in enumerate(series):
        x[n, : len(t)], dt[n, : len(t)] = values, _since(t[None])[0]
    last = np.array([len(t) - 1 for _, t, _ in series])
    return Sequences(x, dt, last, np.array([label for _, _, label in series]))
