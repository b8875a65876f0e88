"""Whether a 3D track belongs to an object that lasts, or to clutter that passes.

A small liquid cell hears of every update of a track, misses as well as measurements, and says with
which probability an object is behind it. It hears counts, time, how far each measurement fell from
where the filter expected it, and how fast and how surely the track moves: lengths and numbers
alone, so no rotation of the world changes the answer, and nothing of what the object looks like.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.lifecycle import JUDGED, Lives
from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights
from liquid_mono3d_ros.liquid.rows import ALL, Chosen

VERSION = "persistence-1"
"""Of what the network hears; weights of another version are refused."""
WEIGHTS = Path(__file__).parents[1] / "weights" / "persistence.safetensors"
"""Of the package."""
SIGNS = {
    "seen": 1.0,
    "gated": 1.0,
    "hits": 0.25,
    "age": 0.25,
    "missed": 0.25,
    "share of hits": 1.0,
    "time step": 0.5,
    "surprise": 0.3,
    "cameras": 0.25,
    "motion": 0.3,
    "speed": 0.15,
    "noise": 0.25,
}
"""What the network hears, in this order → the scale on which it hears it."""
_SCALES = np.array([list(SIGNS.values())]).T
SHORTEST = 1e-3
"""Time steps are told as at least so long, s."""


def signs(lives: Lives, x: Array, P: Array, dt: Array) -> Array:
    """Return what the network hears of N tracks, (N, 12) float32.

    Args:
        lives: After the measurements of this update.
        x: What the filter says then, (N, 9).
        P: Its covariance, (N, 9, 9).
        dt: Since the update before, (N,) s.
    """
    seen, variance = lives.missed == 0, np.einsum("nii->ni", P)
    v2 = (x[:, 3:6] ** 2).sum(axis=1)
    step, surprise, motion, speed, noise = np.log(
        [
            np.maximum(dt, SHORTEST) / 0.03,
            1.0 + 16.0 * lives.surprise,
            1.0 + 3.0 * v2 / variance[:, 3:6].sum(axis=1),
            v2 + 1e-6,
            variance[:, :3].sum(axis=1) / 0.0075,  # of 5 cm along each axis
        ]
    )
    counts = seen, lives.surprise > 1.0, lives.hits, lives.age, lives.missed
    rest = surprise, lives.num_cameras * seen, motion, speed, noise
    heard = np.array([*counts, lives.hits / lives.age, step, *rest]) * _SCALES
    told: Array = heard.T.astype(np.float32)
    return told


class Judge:
    """A liquid cell and its head, read from one safetensors file; needs no torch.

    Args:
        step: The cell.
        head: (H,).
        bias: Of the head.
        notes: What the file says of itself.
    """

    def __init__(
        self, step: RunningStep, head: Array, bias: float, notes: dict[str, str] | None = None
    ) -> None:
        if step.input_size != len(SIGNS) or head.shape != (step.units,):
            rule = f"for {len(SIGNS)} inputs and one answer"
            got = f"{step.input_size} and {head.shape}"
            raise ValueError(complain("weights", rule, got, "Take those made for this version."))
        self.step, self.notes = step, notes or {}
        self.head, self.bias = np.asarray(head, dtype=np.float32), float(np.float32(bias))

    @property
    def units(self) -> int:
        """Length of the hidden state."""
        return int(self.step.units)

    def __call__(self, heard: Array, hidden: Array, dt: Array) -> tuple[Array, Array]:
        """Return the probabilities (N,) that the tracks last, and the states (N, H).

        Args:
            heard: As ``signs`` returned it, (N, 12).
            hidden: As this returned it; zeros at birth, (N, H) float32.
            dt: Since the update before; 0 at birth, (N,) s.
        """
        hidden = self.step(heard, hidden, dt.astype(np.float32))
        logit = (hidden @ self.head).astype(np.float64) + self.bias
        return 1.0 / (1.0 + np.exp(-np.maximum(logit, -80.0))), hidden

    @classmethod
    def load(cls, path: str | Path) -> Judge:
        """Read weights.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, of another version, or holds NaN.
        """
        arrays, notes = read_weights(path)
        if notes.get("version") != VERSION:
            got = notes.get("version", "none")
            raise ValueError(complain("version", VERSION, got, f"Take other weights than {path}."))
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError(complain("weights", "finite", "NaN", f"Fetch {path} again."))
        try:
            cell = {name: arrays[name] for name in ("W", "U", "b")}
            step = RunningStep(cell, CellDesign(**json.loads(notes["design"])))
            return cls(step, arrays["head"], float(arrays["head_bias"][0]), notes)
        except (KeyError, TypeError, IndexError) as error:
            cure = f"Fetch {path} again."
            raise ValueError(complain("weights", "whole", f"no {error}", cure)) from None

    def save(self, path: str | Path) -> None:
        """Write the weights with the notes."""
        arrays = {
            **self.step.weights,
            "head": self.head,
            "head_bias": np.array([self.bias], dtype=np.float32),
        }
        design = {"design": json.dumps(vars(self.step.design)), "version": VERSION}
        write_weights(path, arrays, {**self.notes, **design})


def assess(judge: Judge | None, lives: Lives, x: Array, P: Array, dt: float) -> Lives:
    """Return lives with the probability that each track lasts, as far as they are still judged.

    After ``JUDGED`` updates, which is as far as the training goes, it stays as it is. Without a
    judge nothing is said: the probabilities stay NaN.

    Args:
        judge: Of the package or the user.
        lives: N tracks, after the measurements of this update; ``hidden`` as long as the judge's.
        x: What the filter says, (N, 9).
        P: Its covariance, (N, 9, 9).
        dt: Since the update before, s; tracks born in this one have none.
    """
    if judge is None:
        return lives
    young = lives.age <= JUDGED
    if not young.any():
        return lives
    rows: Chosen = ALL if young.all() else young
    those = lives.take(rows)
    steps = dt * (those.age > 1)
    said, hidden = judge(signs(those, x[rows], P[rows], steps), those.hidden, steps)
    if rows is ALL:
        return replace(lives, persistence=said, hidden=hidden)
    persistence, kept = lives.persistence.copy(), lives.hidden.copy()
    persistence[young], kept[young] = said, hidden
    return replace(lives, persistence=persistence, hidden=kept)


def load_judge(path: str) -> tuple[Judge | None, str]:
    """Return the judge of a file, or of the package for an empty path; or why there is none."""
    try:
        return Judge.load(path or WEIGHTS), ""
    except (OSError, ValueError, TypeError) as error:
        return None, f"Tracks are confirmed by counting measurements alone: {error}"
