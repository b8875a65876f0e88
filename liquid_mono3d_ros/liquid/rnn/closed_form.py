"""The closed-form continuous-time cell, with a start it can be trusted at."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.rnn.cells import Cell
from liquid_mono3d_ros.liquid.rnn.flow import as_column, settled
from liquid_mono3d_ros.liquid.rnn.synapses import Synapses
from liquid_mono3d_ros.liquid.rnn.wiring import Wiring

ONSET = 0.01
"""Time constant with which a fresh cell lets go of its old state, s: short against a frame."""


class CfCCell(Cell):
    """h' = h - expm1(-dt / tau) (c - h) with c = f1 (1 - s) + s f2, s = sigmoid(a dt + b).

    f1 and f2 are tanh, a and b linear, all of (x, h) through a backbone; tau (s) is learned, one
    per neuron. |h| <= max(|h0|, 1), or 2 with mode "no_gate", where c = f1 + s f2.

    Source: Hasani et al., Closed-form continuous-time neural networks, 2022, eq. 10; keywords of
    ncps. Differs: c alone, the cell of paper and ncps, does not return h at dt = 0; the factor
    before it, fully open after a few tens of milliseconds, mends that. With a wiring there is
    no backbone, and the mask is on all four heads (ncps leaves a and b dense). No mode "pure",
    whose state has no bound.

    Args:
        input_size: I.
        units: H, or a wiring.
        mode: "default" or "no_gate".
        backbone_units: Width of the backbone.
        backbone_layers: Its depth; 0 for none. Not with a wiring.
    """

    def __init__(
        self,
        input_size: int,
        units: int | Wiring,
        mode: Literal["default", "no_gate"] = "default",
        *,
        backbone_units: int = 128,
        backbone_layers: int = 1,
    ) -> None:
        if mode not in ("default", "no_gate"):
            rule = "one of default, no_gate"
            raise ValueError(complain("mode", rule, repr(mode), "Choose one of them."))
        wired = isinstance(units, Wiring)
        layers = 0 if wired else backbone_layers
        if layers and not wired:
            heads = Synapses(backbone_units, units, gates=4, recurrent=False)
        else:
            heads = Synapses(input_size, units, gates=4)
        super().__init__(heads)
        self.input_size, self.mode = input_size, mode
        widths = [input_size + self.units] + [backbone_units] * layers
        self.backbone = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.onset_raw = nn.Parameter(torch.full((self.units,), ONSET).expm1().log())

    def forward(self, x: Tensor, h: Tensor, dt: Tensor | float) -> Tensor:
        """Return the state after ``dt`` seconds with the input x, (B, H)."""
        dt = as_column(dt, h.shape[0])
        f1, f2, a, b = self._heads(x, h).chunk(4, dim=-1)
        s = torch.sigmoid(a * dt + b)
        f1, f2 = torch.tanh(f1), torch.tanh(f2)
        goal = f1 + s * f2 if self.mode == "no_gate" else torch.lerp(f1, f2, s.to(f1.dtype))
        ratio = dt / (functional.softplus(self.onset_raw) + 1e-3)
        return (h + settled(ratio) * (goal - h)).to(h.dtype)

    def _heads(self, x: Tensor, h: Tensor) -> Tensor:
        if not self.backbone:
            return self.synapses(x, h)  # type: ignore[no-any-return]
        features = torch.cat([x, h], dim=-1)
        for layer in self.backbone:
            features = 1.7159 * torch.tanh(0.666 * layer(features))
        return self.synapses.drive(features)
