"""Every kind of fusion by name, at whatever size."""

from __future__ import annotations

from bisect import bisect_left

import torch

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.cross_modal import LiquidCrossModalFusion
from liquid_mono3d_ros.fusion.dual_modal import (
    HEADS,
    GRUFusion,
    LiquidDualModalFusion,
    TransformerFusion,
)
from liquid_mono3d_ros.fusion.fusion_module import Fusion
from liquid_mono3d_ros.fusion.static import StaticFusion

KINDS: dict[str, type[Fusion]] = {
    "static": StaticFusion,
    "gru": GRUFusion,
    "transformer": TransformerFusion,
    "liquid": LiquidDualModalFusion,
    "cross": LiquidCrossModalFusion,
}


def make_fusion(kind: str, embedding: int, parameters: int) -> Fusion:
    """Return a fusion of about so many parameters.

    Args:
        kind: One of ``KINDS``.
        embedding: D, the language model's hidden size.
        parameters: As near to this as the width allows.
    """
    if kind not in KINDS:
        cure = "Choose one of them."
        raise ValueError(complain("kind", f"one of {', '.join(KINDS)}", repr(kind), cure))
    step = HEADS if kind == "transformer" else 1

    def count(number: int) -> int:
        with torch.device("meta"):
            return KINDS[kind](embedding, number * step).num_parameters

    above = bisect_left(range(2048 // step), parameters, lo=2, key=count)
    best = min((above - 1, above), key=lambda number: abs(count(number) - parameters))
    return KINDS[kind](embedding, best * step)
