"""What goes on inside the filter, for a reader who wants to see why it answers as it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.liquid.guidance import tilted
from liquid_mono3d_ros.liquid.lifecycle import Lives

MODELS = ("steady", "turning", "hard", "abrupt", "falling")
"""Of the experts imm and liquid, in the order of the bank."""


@dataclass(frozen=True)
class Insight:
    """The inner state of N tracks at one instant.

    Attributes:
        stamp: ns.
        track_id: (N,) uint64.
        models: Expert and model of each of M models.
        probability: Of each model within its expert, as the output weighs them, (N, M).
        experts: Names of the E experts.
        weight: Of each expert, (N, E).
        log_r: Logarithm of what the network scaled the last measurement's noise by, (N,).
        log_q: Logarithm of what it scales the process noise by, (N,).
        tau: Mean time constant of its cell, (N,) s; NaN without one.
    """

    stamp: int
    track_id: Array
    models: tuple[str, ...]
    probability: Array
    experts: tuple[str, ...]
    weight: Array
    log_r: Array
    log_q: Array
    tau: Array


def look_inside(design: Design, belief: Belief, lives: Lives, stamp: int) -> Insight:
    """Gather the inner state of N tracks."""
    models = [
        f"{expert} {model}" if own.stop - own.start > 1 else expert
        for expert, own in zip(design.experts, design.bank.spans, strict=True)
        for model in MODELS[: own.stop - own.start]
    ]
    each = [
        tilted(design, belief) if e == design.led else belief.log_mu[:, own]
        for e, own in enumerate(design.bank.spans)
    ]
    return Insight(
        stamp=stamp,
        track_id=lives.track_id,
        models=tuple(models),
        probability=np.exp(np.concatenate(each, axis=1)),
        experts=design.experts,
        weight=np.exp(belief.log_w),
        log_r=belief.log_r,
        log_q=belief.log_q,
        tau=belief.tau,
    )
