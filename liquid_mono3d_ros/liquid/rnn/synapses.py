"""Weights of a cell's inputs and neurons, held to a circuit: masks and signs on every matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.rnn.wiring import Wiring

NARROW = 16
"""Inputs fewer than this make thin matrices, at which a BLAS is slow the one way round."""


class _NarrowAffine(torch.autograd.Function):
    """x Wᵀ + b with its gradients by wide products; five times faster than linear's at I = 8."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, W)
        return functional.linear(x, W, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, W = ctx.saved_tensors
        d, width = grads[0].flatten(0, -2), x.shape[-1]
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = (d @ functional.pad(W, (0, NARROW - width)))[:, :width].reshape(x.shape)
        return by_x, (x.flatten(0, -2).t() @ d).t(), d.sum(0)


def affine(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """Return x Wᵀ + b, for any leading axes; the compiler makes its own products."""
    if x.shape[-1] >= NARROW or torch.compiler.is_compiling():
        return functional.linear(x, W, b)
    return _NarrowAffine.apply(x, W, b)  # type: ignore[no-any-return, no-untyped-call]


class Synapses(nn.Module):
    """W x + U h + b for several gates at once, stacked along the first axis.

    With a wiring each gate's W and U is zero where there is no synapse; after Dale's principle
    U is the absolute value times the sign of the pre-synaptic neuron. The inputs keep both signs.

    Args:
        input_size: I.
        units: H, or a wiring of that input size.
        gates: How many quantities each neuron works out from x and h.
        recurrent: Whether there is a U.
    """

    W_mask: Tensor | None
    U_mask: Tensor | None
    sign: Tensor | None

    def __init__(
        self, input_size: int, units: int | Wiring, gates: int = 1, recurrent: bool = True
    ) -> None:
        super().__init__()
        wiring = units if isinstance(units, Wiring) else None
        num_units = wiring.units if wiring else int(units)  # type: ignore[arg-type]
        if wiring is not None and wiring.input_size != input_size:
            cure = "Make the wiring for the inputs it will get."
            rule = f"the wiring's {wiring.input_size}"
            raise ValueError(complain("input_size", rule, str(input_size), cure))
        self.input_size, self.units, self.wiring = input_size, num_units, wiring
        self.W = nn.Parameter(torch.empty(gates * num_units, input_size))
        self.U = nn.Parameter(torch.empty(gates * num_units, num_units)) if recurrent else None
        self.b = nn.Parameter(torch.zeros(gates * num_units))
        for name, mask in _masks(wiring, gates).items():
            self.register_buffer(name, mask, persistent=False)
        nn.init.xavier_uniform_(self.W)
        if self.U is not None:
            for block in self.U.data.chunk(gates):
                nn.init.orthogonal_(block)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return W (gates H, I) and U (gates H, H) as the circuit has them."""
        if self.U is None:
            raise ValueError("These synapses have no recurrent weights.")
        U = self.U if self.U_mask is None else self.U * self.U_mask
        return self._inward(), U if self.sign is None else U.abs() * self.sign

    def drive(self, x: Tensor) -> Tensor:
        """Return W x + b, for any leading axes."""
        return affine(x, self._inward(), self.b)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return W x + U h + b, (B, gates H)."""
        W, U = self.weights()
        return functional.linear(x, W, self.b) + functional.linear(h, U)

    def _inward(self) -> Tensor:
        return self.W if self.W_mask is None else self.W * self.W_mask


def _masks(wiring: Wiring | None, gates: int) -> dict[str, Tensor | None]:
    if wiring is None:
        return {"W_mask": None, "U_mask": None, "sign": None}
    sensory, inner = (wiring.sensory_adjacency != 0).T, (wiring.adjacency != 0).T
    return {
        "W_mask": torch.from_numpy(np.tile(sensory, (gates, 1)).astype(np.float32)),
        "U_mask": torch.from_numpy(np.tile(inner, (gates, 1)).astype(np.float32)),
        "sign": torch.from_numpy(wiring.sign.astype(np.float32)) if wiring.dale else None,
    }
