"""What a liquid network advises a filter bank, from numbers that no rotation changes.

The network sees only lengths and angles between vectors (innovations, velocity, gravity ...),
measured in units of the innovation's own covariance, and answers with plain numbers: which model
to believe, how much noise there is, how far to move along those same vectors. So turning the world
turns the output, and heads of zeros leave the bank as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.covariance import invert
from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights

VERSION = "liquid-filter-1"
"""Of what the network hears and answers; weights of another version are refused."""
MEMBERS = 5
VECTORS = MEMBERS + 5
"""Each member's innovation; velocity, acceleration, mean and last innovation, gravity."""
MOVES = MEMBERS + 4
"""Each member's offset; innovation, velocity, mean innovation, gravity."""
INPUTS = VECTORS * (VECTORS + 1) // 2 + 2 * MEMBERS + 6
ANSWERS = 5 + MEMBERS + 2 * MOVES
HORIZON = 0.1
"""Over which velocity, acceleration and gravity are compared with the innovations, s."""
FORGETTING = 0.15
"""Time constant of the mean innovation, s."""
SHORTEST = 0.005
"""Velocities are compared over at least so much, s."""
_UPPER = np.triu_indices(VECTORS)


@dataclass(frozen=True)
class Advice:
    """What the network says of N tracks; all zeros say: do as the bank would.

    Attributes:
        log_r: Logarithm of what the white noise of the measurement is scaled by, (N,).
        openness: Of the gate, −1 to 1, (N,): distrust is taken to the power 1 − openness.
        log_q: Logarithm of what the process noise is scaled by until the next measurement, (N,).
        log_scale: Logarithm of what the output's covariance is scaled by: of position and of
            velocity, (N, 2).
        delta: Added to the logarithm of each member's probability, (N, 5).
        move: How far to move the output's position along each vector, (N, 9).
        turn: The same of its velocity, (N, 9).
    """

    log_r: Array
    openness: Array
    log_q: Array
    log_scale: Array
    delta: Array
    move: Array
    turn: Array


@dataclass(frozen=True)
class Evidence:
    """What the network is told of N measurements, before they are used.

    Attributes:
        y: Each member's innovation, (N, 5, 3) m.
        S: Its covariance, without any inflation, (N, 5, 3, 3) m².
        mean: Innovation of the mixture, (N, 3) m.
        whole: Its covariance, (N, 3, 3) m².
        log_mu: Logarithm of the members' predicted probabilities, (N, 5).
        velocity: Of the mixture, (N, 3) m/s.
        acceleration: Of the mixture, (N, 3) m/s².
        R: White covariance of the measurement, (N, 3, 3) m².
        B: Slow covariance of the measurement, (N, 3, 3) m².
        gravity: (N, 3) m/s²; zero when unknown.
        dt: Since the network was last told something, (N,) s.
    """

    y: Array
    S: Array
    mean: Array
    whole: Array
    log_mu: Array
    velocity: Array
    acceleration: Array
    R: Array
    B: Array
    gravity: Array
    dt: Array


@dataclass(frozen=True)
class Memory:
    """What is kept of N tracks between two measurements.

    Attributes:
        hidden: State of the cell, (N, H) float32.
        last: Innovation of the measurement before, (N, 3) m.
        usual: Leaky mean of the innovations, (N, 3) m.
        log_q: As last advised, (N,).
        log_r: As last advised, (N,).
    """

    hidden: Array
    last: Array
    usual: Array
    log_q: Array
    log_r: Array


def invariants(evidence: Evidence, memory: Memory) -> Array:
    """Return what the network hears, (N, 71); no rotation of world and gravity changes it."""
    whole_inverse, log_det = invert(evidence.whole)
    vectors = np.concatenate(
        [
            evidence.y,
            HORIZON * evidence.velocity[:, None],
            HORIZON**2 / 2 * evidence.acceleration[:, None],
            memory.usual[:, None],
            memory.last[:, None],
            HORIZON**2 / 2 * evidence.gravity[:, None],
        ],
        axis=1,
    )  # (N, 10, 3)
    products = (vectors @ whole_inverse @ vectors.swapaxes(1, 2))[:, _UPPER[0], _UPPER[1]]
    d2 = ((invert(evidence.S)[0] @ evidence.y[..., None])[..., 0] * evidence.y).sum(axis=-1)
    white = np.trace(evidence.R, axis1=1, axis2=2)
    scalars = [
        0.2 * (log_det - invert(evidence.R)[1]),
        0.5 * np.log(evidence.dt / 0.03),
        0.5 * memory.log_q,
        0.5 * memory.log_r,
        0.25 * np.log(white / 0.0075),  # of 5 cm along each axis
        0.3 * np.log1p(np.trace(evidence.B, axis1=1, axis2=2) / white),
    ]
    return np.concatenate(
        [
            0.3 * np.sign(products) * np.log1p(np.abs(products)),
            0.3 * np.log1p(np.maximum(d2, 0.0)),  # a flat S may round below
            0.2 * evidence.log_mu,
            np.stack(scalars, axis=1),
        ],
        axis=1,
    )


def remember(evidence: Evidence, memory: Memory) -> tuple[Array, Array]:
    """Return the last innovation, and the leaky mean of all with it, each (N, 3) m."""
    kept = np.exp(-evidence.dt / FORGETTING)[:, None]
    return evidence.mean, kept * memory.usual + (1 - kept) * evidence.mean


def read_answers(answers: Array) -> Advice:
    """Bound what the heads say, (N, 28)."""
    parts = np.split(answers, np.cumsum([1, 1, 1, 2, MEMBERS, MOVES]), axis=1)
    log_r, openness, log_q, scale, delta, move, turn = parts
    return Advice(
        log_r=_bounded(log_r[:, 0], 4.0),
        openness=_bounded(openness[:, 0], 1.0),
        log_q=_bounded(log_q[:, 0], 4.0),
        log_scale=_bounded(scale, 2.0),
        delta=_bounded(delta, 5.0),
        move=move,
        turn=turn,
    )


class Adviser:
    """A liquid cell and its heads, read from one safetensors file; needs no torch.

    Args:
        step: The cell.
        heads: (28, H).
        bias: (28,).
        notes: What the file says of itself.
    """

    def __init__(
        self, step: RunningStep, heads: Array, bias: Array, notes: dict[str, str] | None = None
    ) -> None:
        if step.input_size != INPUTS or heads.shape != (ANSWERS, step.units):
            rule = f"for {INPUTS} inputs and {ANSWERS} answers"
            got = f"{step.input_size} and {heads.shape}"
            raise ValueError(complain("weights", rule, got, "Take those made for this version."))
        self.step, self.notes = step, notes or {}
        self.heads = np.ascontiguousarray(heads.T, dtype=np.float32)
        self.bias = np.asarray(bias, dtype=np.float32)

    @property
    def is_open(self) -> bool:
        """Whether the bank runs by itself: the advice reaches the output alone."""
        return self.notes.get("loop") == "open"

    @property
    def tilts(self) -> bool:
        """Whether it weighs the models anew in the output alone, not in the bank."""
        return self.notes.get("loop") in ("open", "noise")

    @property
    def bank(self) -> dict[str, Any]:
        """Settings of the bank that it was trained over, by name; none when it does not say."""
        told: dict[str, Any] = json.loads(self.notes.get("filter", "{}"))
        return {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}

    @property
    def units(self) -> int:
        """Length of the hidden state."""
        return int(self.step.units)

    def begin(self, n: int) -> Memory:
        """Return the memory of N newborn tracks."""
        hidden = np.zeros((n, self.units), dtype=np.float32)
        return Memory(hidden, np.zeros((n, 3)), np.zeros((n, 3)), np.zeros(n), np.zeros(n))

    def __call__(self, evidence: Evidence, memory: Memory) -> tuple[Advice, Memory]:
        """Return what the network advises, and what it remembers."""
        heard = invariants(evidence, memory).astype(np.float32)
        dt = evidence.dt.astype(np.float32)
        hidden = self.step(heard, memory.hidden, dt)
        advice = read_answers((hidden @ self.heads + self.bias).astype(np.float64))
        last, usual = remember(evidence, memory)
        return advice, Memory(hidden, last, usual, advice.log_q, advice.log_r)

    @classmethod
    def load(cls, path: str | Path) -> Adviser:
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
            return cls(step, arrays["heads"], arrays["heads_bias"], notes)
        except (KeyError, TypeError) as error:
            cure = f"Fetch {path} again."
            raise ValueError(complain("weights", "whole", f"no {error}", cure)) from None

    def save(self, path: str | Path) -> None:
        """Write the weights with the notes."""
        arrays = {**self.step.weights, "heads": self.heads.T, "heads_bias": self.bias}
        design = {"design": json.dumps(vars(self.step.design)), "version": VERSION}
        write_weights(path, arrays, {**self.notes, **design})


def move_output(
    advice: Advice,
    evidence: Evidence,
    memory: Memory,
    offsets: Array,
    x: Array,
    P: Array,
) -> tuple[Array, Array]:
    """Return the output's state (N, 9) and covariance (N, 9, 9), as advised.

    Each move is at most three standard deviations long.

    Args:
        advice: Of the network.
        evidence: It was given.
        memory: As it was before.
        offsets: Of the members' corrected states from their mean, (N, 5, 9).
        x: Mean of the corrected mixture, (N, 9).
        P: Its covariance, (N, 9, 9).
    """
    dt = np.maximum(evidence.dt, SHORTEST)[:, None]
    innovation, usual, gravity = evidence.mean, memory.usual, evidence.gravity
    places = [innovation, evidence.velocity * dt, usual, gravity * dt**2 / 2]
    speeds = [innovation / dt, evidence.velocity, usual / dt, gravity * dt]
    x = x.copy()
    for first, along, share in ((0, places, advice.move), (3, speeds, advice.turn)):
        vectors = np.concatenate(
            [offsets[..., first : first + 3], np.stack(along, axis=1)], axis=1
        )
        moved = (share[:, None] @ vectors)[:, 0]
        block = invert(P[:, first : first + 3, first : first + 3])[0]
        length2 = ((block @ moved[..., None])[..., 0] * moved).sum(axis=1)
        x[:, first : first + 3] += moved / np.sqrt(1 + np.maximum(length2, 0.0) / 9)[:, None]
    stretch = np.ones((len(x), 9))
    stretch[:, :6] = np.exp(advice.log_scale / 2).repeat(3, axis=1)
    return x, P * stretch[:, :, None] * stretch[:, None]


def _bounded(a: Array, most: float) -> Array:
    return most * np.tanh(a / most)
