"""Networks that advise the bank: S models of one kind and size at once, each with its own tracks.

The torch twin of ``liquid.advice``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import (
    ANSWERS,
    FORGETTING,
    HORIZON,
    INPUTS,
    MEMBERS,
    MOVES,
    SHORTEST,
    VECTORS,
)
from liquid_mono3d_ros.train.differentiable_bank import (
    Innovations,
    Measured,
    inverse,
    squared_length,
)
from liquid_mono3d_ros.train.fusing import fused, product

WINDOW = 16
"""Measurements that the Transformer attends to."""


@dataclass(frozen=True)
class Advice:
    """As ``liquid.advice.Advice``, tensors of N tracks."""

    log_r: Tensor
    openness: Tensor
    log_q: Tensor
    log_scale: Tensor
    delta: Tensor
    move: Tensor
    turn: Tensor


@dataclass(frozen=True)
class Memory:
    """As ``liquid.advice.Memory``; ``hidden`` belongs to the networks and is kept apart."""

    last: Tensor
    usual: Tensor
    log_q: Tensor
    log_r: Tensor


@fused
def invariants(
    seen: Innovations,
    measured: Measured,
    log_mu: Tensor,
    x: Tensor,
    gravity: Tensor,
    dt: Tensor,
    memory: Memory,
) -> Tensor:
    """Return what the networks hear, (N, 71); ``x`` is the mean of the predicted mixture."""
    whole_inverse, log_det = inverse(seen.whole)
    vectors = torch.cat(
        [
            seen.y,
            HORIZON * x[:, None, 3:6],
            HORIZON**2 / 2 * x[:, None, 6:],
            memory.usual[:, None],
            memory.last[:, None],
            HORIZON**2 / 2 * gravity[:, None],
        ],
        dim=1,
    )
    rows, columns = torch.triu_indices(VECTORS, VECTORS, device=x.device)
    products = product(product(vectors, whole_inverse), vectors.transpose(1, 2))[:, rows, columns]
    d2 = squared_length(inverse(seen.S)[0], seen.y)
    white = measured.R.diagonal(dim1=1, dim2=2).sum(1)
    slow = (measured.G**2).sum((1, 2))
    scalars = [
        0.2 * (log_det - inverse(measured.R)[1]),
        0.5 * torch.log(dt / 0.03),
        0.5 * memory.log_q,
        0.5 * memory.log_r,
        0.25 * torch.log(white / 0.0075),
        0.3 * torch.log1p(slow / white),
    ]
    return torch.cat(
        [
            0.3 * torch.sign(products) * torch.log1p(products.abs()),
            0.3 * torch.log1p(d2),
            0.2 * log_mu,
            torch.stack(scalars, dim=1),
        ],
        dim=1,
    )


@fused
def remember(seen: Innovations, dt: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    """Return the last innovation, and the leaky mean of all with it."""
    kept = torch.exp(-dt / FORGETTING)[:, None]
    return seen.mean, kept * memory.usual + (1 - kept) * seen.mean


@fused
def read_answers(answers: Tensor) -> Advice:
    """Bound what the heads say, (N, 28)."""

    def bounded(a: Tensor, most: float) -> Tensor:
        return most * torch.tanh(a / most)

    log_r, openness, log_q, scale, delta, move, turn = torch.split(
        answers, [1, 1, 1, 2, MEMBERS, MOVES, MOVES], dim=1
    )
    return Advice(
        bounded(log_r[:, 0], 4.0),
        bounded(openness[:, 0], 1.0),
        bounded(log_q[:, 0], 4.0),
        bounded(scale, 2.0),
        bounded(delta, 5.0),
        move,
        turn,
    )


@fused
def move_output(
    advice: Advice,
    seen: Innovations,
    predicted: Tensor,
    gravity: Tensor,
    dt: Tensor,
    usual: Tensor,
    offsets: Tensor,
    x: Tensor,
    P: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the output's state and covariance, as advised; see ``liquid.advice``."""
    dt = torch.clamp(dt, min=SHORTEST)[:, None]
    velocity = predicted[:, 3:6]
    places = [seen.mean, velocity * dt, usual, gravity * dt**2 / 2]
    speeds = [seen.mean / dt, velocity, usual / dt, gravity * dt]
    moves = []
    for first, along, share in ((0, places, advice.move), (3, speeds, advice.turn)):
        vectors = torch.cat([offsets[..., first : first + 3], torch.stack(along, dim=1)], dim=1)
        moved = (share[..., None] * vectors).sum(1)
        block = inverse(P[:, first : first + 3, first : first + 3])[0]
        moves.append(moved / torch.sqrt(1 + squared_length(block, moved) / 9)[:, None])
    x = x + torch.cat([*moves, torch.zeros_like(moves[0])], dim=1)
    return x, scaled(P, advice.log_scale)


def scaled(P: Tensor, log_scale: Tensor) -> Tensor:
    """Scale the covariances of position and of velocity, (N, 9, 9)."""
    stretch = torch.cat(
        [torch.exp(log_scale / 2).repeat_interleave(3, dim=1), torch.ones_like(P[:, 0, :3])], dim=1
    )
    return P * stretch[:, :, None] * stretch[:, None]


class Adviser(nn.Module):
    """S networks of one kind: a recurrent cell and heads that start at zero.

    Args:
        units: Of the cell.
        models: S.
        generator: Of the first weights.
    """

    gates = 1
    """How many rows of weights a unit has."""

    def __init__(self, units: int, models: int, generator: torch.Generator) -> None:
        super().__init__()
        self.units, self.models = units, models
        self.W = self._drawn(generator, self.gates * units, INPUTS)
        self.U = self._drawn(generator, self.gates * units, units)
        self.b = nn.Parameter(torch.zeros(models, self.gates * units))
        self.heads = nn.Parameter(torch.zeros(models, ANSWERS, units))
        self.heads_bias = nn.Parameter(torch.zeros(models, ANSWERS))

    def _drawn(self, generator: torch.Generator, rows: int, columns: int) -> nn.Parameter:
        bound = 1 / math.sqrt(columns)
        drawn = torch.rand(self.models, rows, columns, generator=generator)
        return nn.Parameter((2 * drawn - 1) * bound)

    @classmethod
    def of(cls, models: Sequence[Mapping[str, Array]]) -> Adviser:
        """Put models of one size together, as ``filter_recipe`` wrote them."""
        units = models[0]["heads"].shape[1]
        group = cls(units, len(models), torch.Generator().manual_seed(0))
        with torch.no_grad():
            for name, p in group.named_parameters():
                p.copy_(torch.as_tensor(np.stack([arrays[name] for arrays in models])))
        return group

    def begin(self, tracks: int) -> Tensor:
        """Return the state of newborn tracks, (S, n, ...)."""
        return self.b.new_zeros(self.models, tracks, self.units)

    def drive(self, x: Tensor) -> Tensor:
        """Return what the inputs (S, K, 71) bring to the gates, (S, K, G)."""
        return torch.baddbmm(self.b[:, None], x, self.W.transpose(1, 2))

    def cell(self, p: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return (output (S, n, H), state).

        Args:
            p: As ``drive`` returned it, (S, n, G).
            h: As ``begin`` or this returned it.
            dt: (S, n, 1) s.
        """
        raise NotImplementedError

    def read(self, output: Tensor) -> Tensor:
        """Return the answers (S, K, 28) of outputs (S, K, H)."""
        return torch.baddbmm(self.heads_bias[:, None], output, self.heads.transpose(1, 2))

    def forward(self, x: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return (answers (S, n, 28), state)."""
        output, h = self.cell(self.drive(x), h, dt)
        return self.read(output), h

    def size(self) -> int:
        """Return the parameters of one of the models."""
        return sum(p.numel() for p in self.parameters()) // self.models


class LiquidAdviser(Adviser):
    """The adaptive-τ cell of ``liquid.rnn``, exponential step."""

    gates = 2
    tau_min, tau_max = 0.01, 5.0

    def __init__(self, units: int, models: int, generator: torch.Generator) -> None:
        super().__init__(units, models, generator)
        with torch.no_grad():
            tau = torch.logspace(math.log10(0.02), math.log10(1.0), units)
            self.b[:, units:] = torch.logit((tau - self.tau_min) / (self.tau_max - self.tau_min))
            self.W[:, units:] *= 0.3
            self.U[:, units:] *= 0.3

    def cell(self, p: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Relax towards f with tau."""
        p = torch.baddbmm(p, h, self.U.transpose(1, 2))
        f, gate = p.chunk(2, dim=-1)
        tau = self.tau_min + (self.tau_max - self.tau_min) * torch.sigmoid(gate)
        h = h - torch.expm1(-dt / tau) * (torch.tanh(f) - h)
        return h, h


class GRUAdviser(Adviser):
    """A GRU; dt is among what it hears."""

    gates = 3

    def cell(self, p: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Step the GRU (Cho et al., 2014; the reset gate inside, as cuDNN has it)."""
        kept = h @ self.U.transpose(1, 2)
        z, r, n = p.chunk(3, dim=-1)
        z_h, r_h, n_h = kept.chunk(3, dim=-1)
        update = torch.sigmoid(z + z_h)
        new = torch.tanh(n + torch.sigmoid(r + r_h) * n_h)
        h = update * h + (1 - update) * new
        return h, h


class CfCAdviser(Adviser):
    """The closed-form continuous-time cell (Hasani et al., 2022): two heads and a time gate."""

    gates = 4

    def cell(self, p: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Blend two targets by a gate of time."""
        p = torch.baddbmm(p, h, self.U.transpose(1, 2))
        one, other, rate, start = p.chunk(4, dim=-1)
        share = torch.sigmoid(-rate * dt / 0.03 + start)
        h = share * torch.tanh(one) + (1 - share) * torch.tanh(other)
        return h, h


class TransformerAdviser(Adviser):
    """One causal attention layer over the last ``WINDOW`` measurements; ages enter as a bias."""

    gates = 1

    def __init__(self, units: int, models: int, generator: torch.Generator) -> None:
        super().__init__(units, models, generator)
        del self.U
        self.queries = self._drawn(generator, 3 * units, units)
        self.inner = self._drawn(generator, 2 * units, units)
        self.outer = self._drawn(generator, units, 2 * units)
        self.ageing = nn.Parameter(torch.zeros(models, 1, 1))

    def begin(self, tracks: int) -> Tensor:
        """Return an empty window: embedding, age and whether it is filled, a row each."""
        return self.b.new_zeros(self.models, tracks, WINDOW, self.units + 2)

    def cell(self, p: Tensor, h: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from the newest embedding to the window."""
        embedded = torch.tanh(p)
        newest = torch.cat([embedded, torch.zeros_like(dt), torch.ones_like(dt)], dim=-1)
        old = torch.cat(
            [h[..., 1:, :-2], h[..., 1:, -2:-1] + dt[..., None, :], h[..., 1:, -1:]], dim=-1
        )
        window = torch.cat([old, newest[:, :, None]], dim=2)  # (S, n, W, H + 2)
        tokens, age, filled = window[..., :-2], window[..., -2], window[..., -1]
        q, k, v = self.queries.chunk(3, dim=1)
        query = embedded @ q.transpose(1, 2)
        key = (tokens.flatten(1, 2) @ k.transpose(1, 2)).unflatten(1, tokens.shape[1:3])
        value = (tokens.flatten(1, 2) @ v.transpose(1, 2)).unflatten(1, tokens.shape[1:3])
        logits = (key @ query[..., None])[..., 0] / math.sqrt(self.units)
        logits = logits - functional.softplus(self.ageing) * age + 1e4 * (filled - 1)
        read = (torch.softmax(logits, dim=-1)[..., None, :] @ value)[..., 0, :]
        summed = embedded + read
        inner = functional.gelu(summed @ self.inner.transpose(1, 2))
        return summed + inner @ self.outer.transpose(1, 2), window


KINDS: dict[str, type[Adviser]] = {
    "liquid": LiquidAdviser,
    "gru": GRUAdviser,
    "cfc": CfCAdviser,
    "transformer": TransformerAdviser,
}


def units_for(kind: str, parameters: int) -> int:
    """Return the width at which a model of a kind has about so many parameters."""
    draw = torch.Generator().manual_seed(0)
    sizes = {h: KINDS[kind](h, 1, draw).size() for h in range(4, 160)}
    return min(sizes, key=lambda h: abs(sizes[h] - parameters))
