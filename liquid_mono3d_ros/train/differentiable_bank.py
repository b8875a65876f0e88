"""The bank of ``liquid.bank`` in torch, for one expert, with gradients: the same numbers to 1e-9.

States are (N, M, 9) and covariances (N, M, 9, 9) for N tracks and M models, float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from liquid_mono3d_ros.liquid.motion import MotionBank
from liquid_mono3d_ros.train.fusing import fused, product

LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Belief:
    """What the bank believes.

    Attributes:
        x: (N, M, 9): m, m/s, m/s².
        P: Covariance of ``x``, (N, M, 9, 9).
        C: Covariance of ``x`` with the slow error of the measurements, taken as a bias of unit
            covariance, (N, M, 9, 3).
        log_mu: Logarithm of each model's probability, (N, M).
    """

    x: Tensor
    P: Tensor
    C: Tensor
    log_mu: Tensor


@dataclass(frozen=True)
class Measured:
    """One position a track.

    Attributes:
        z: (N, 3) m.
        R: White covariance, (N, 3, 3) m².
        G: Symmetric root of the slow covariance, (N, 3, 3) m.
    """

    z: Tensor
    R: Tensor
    G: Tensor


@dataclass(frozen=True)
class Innovations:
    """What a measurement says of each model before it is used.

    Attributes:
        y: Measured minus predicted, (N, M, 3) m.
        S: Covariance of ``y`` without any inflation, (N, M, 3, 3) m².
        PHt: Covariance of the state with ``y``, (N, M, 9, 3).
        mean: Measured minus the mixture's prediction, (N, 3).
        whole: Covariance of ``mean``, (N, 3, 3).
    """

    y: Tensor
    S: Tensor
    PHt: Tensor
    mean: Tensor
    whole: Tensor


class TorchBank:
    """A ``MotionBank`` of one expert on a device.

    Args:
        bank: Members and how objects change between them.
        gate: Squared distance beyond which a measurement is distrusted.
        speed_sigma: Standard deviation of a newborn track's velocity, each axis, m/s.
        device: Of the tensors.
    """

    def __init__(
        self,
        bank: MotionBank,
        *,
        gate: float,
        speed_sigma: float,
        device: str = "cpu",
    ) -> None:
        def take(array: object) -> Tensor:
            return torch.as_tensor(array, dtype=torch.float64, device=device)

        self.size = len(bank)
        self.polynomials = take(bank.polynomials).reshape(6, -1)
        self.powers = torch.arange(6, dtype=torch.float64, device=device)
        self.share, self.falls = take(bank.share), take(bank.falls)
        self.gated = take(bank.gated)
        self.surplus = torch.eye(self.size, dtype=torch.float64, device=device) - self.share
        self.switch_rate, self.floor = bank.switch_rate, bank.floor
        variances = [0.0] * 3 + [speed_sigma**2] * 3 + [bank.acceleration_sigma**2] * 3
        self.prior = torch.diag(take(variances))
        self.bias_time, self.gate = bank.bias_time, gate

    def birth(self, measured: Measured) -> Belief:
        """Begin tracks at measured positions."""
        n, m = len(measured.z), self.size
        z = measured.z
        x = z.new_zeros(n, m, 9)
        x[..., :3] = z[:, None]
        P = self.prior.expand(n, m, 9, 9).clone()
        P[..., :3, :3] = (measured.R + product(measured.G, measured.G))[:, None]
        C = z.new_zeros(n, m, 9, 3)
        C[..., :3, :] = -measured.G[:, None]
        return Belief(x, P, C, self.share.log().expand(n, m))

    @fused
    def predict(self, belief: Belief, dt: Tensor, gravity: Tensor, log_q: Tensor) -> Belief:
        """Mix the models and move each ``dt`` seconds ahead.

        Args:
            belief: N tracks.
            dt: (N,) s.
            gravity: (N, 3) m/s², zero when unknown.
            log_q: Logarithm of what the process noise is scaled by, (N,).
        """
        n, m = belief.log_mu.shape
        stay = torch.exp(-self.switch_rate * dt)[:, None, None]
        joint = belief.log_mu[:, :, None] + torch.log(stay * self.surplus + self.share)
        log_mu = torch.logsumexp(joint, dim=1)  # (N, to)
        weight = torch.exp(joint - log_mu[:, None]).transpose(1, 2)  # (N, to, from)
        x = product(weight, belief.x)
        offset = belief.x[:, None] - x[:, :, None]  # (N, to, from, 9)
        P = product(weight, belief.P.reshape(n, m, 81)).reshape(n, m, 9, 9)
        P = P + product((offset * weight[..., None]).transpose(-1, -2), offset)
        C = product(weight, belief.C.reshape(n, m, 27)).reshape(n, m, 9, 3)

        powers = dt[:, None] ** self.powers  # (N, 6)
        F_Q = (powers @ self.polynomials).reshape(n, m, 2, 9, 9)
        F, Q = F_Q[:, :, 0], F_Q[:, :, 1]
        fall = torch.cat([gravity * dt[:, None] ** 2 / 2, gravity * dt[:, None], 0 * gravity], 1)
        x = product(F, x[..., None])[..., 0] + self.falls[:, None] * fall[:, None]
        P = product(product(F, P), F.transpose(-1, -2)) + Q * torch.exp(log_q)[:, None, None, None]
        C = product(F, C) * torch.exp(-dt / self.bias_time)[:, None, None, None]
        return Belief(x, symmetric(P), C, log_mu)

    @fused
    def compare(self, belief: Belief, measured: Measured) -> Innovations:
        """Say how measurements differ from what each model, and the mixture, predicted."""
        shared = product(belief.C, measured.G[:, None])
        PHt = belief.P[..., :3] + shared
        HC = shared[..., :3, :]
        noise = (measured.R + product(measured.G, measured.G))[:, None]
        S = belief.P[..., :3, :3] + HC + HC.transpose(-1, -2) + noise
        y = measured.z[:, None] - belief.x[..., :3]
        mu = belief.log_mu.exp()[..., None]
        mean = (mu * y).sum(1)
        offset = y - mean[:, None]
        spread = product((offset * mu).transpose(1, 2), offset)
        whole = (mu[..., None] * S).sum(1) + spread
        return Innovations(y, S, PHt, mean, whole)

    def distrust(self, seen: Innovations) -> Tensor:
        """Return by how much each model distrusts the measurement, at least 1, (N, M)."""
        d2 = squared_length(inverse(seen.whole)[0], seen.mean)
        return 1 + self.gated * (torch.clamp(d2 / self.gate, min=1.0) - 1)[:, None]

    @fused
    def correct(
        self,
        belief: Belief,
        seen: Innovations,
        measured: Measured,
        *,
        log_r: Tensor,
        openness: Tensor,
        delta: Tensor,
    ) -> Belief:
        """Update every model with one measurement a track.

        Args:
            belief: Predicted.
            seen: By ``compare``.
            measured: The measurements.
            log_r: Logarithm of what the white noise is scaled by, (N,).
            openness: Of the gate, (N,): the distrust is taken to the power 1 − openness.
            delta: Added to the logarithms of the models' probabilities, (N, M).
        """
        inflation = (torch.expm1(log_r)[:, None, None] * measured.R)[:, None]
        S = seen.S + inflation
        S_inverse, log_det = inverse(S)
        log_s = torch.log(self.distrust(seen)) * (1 - openness)[:, None]
        S_inverse = S_inverse * torch.exp(-log_s)[..., None, None]
        K = product(seen.PHt, S_inverse)  # (N, M, 9, 3)
        x = belief.x + product(K, seen.y[..., None])[..., 0]
        P = belief.P - product(K, seen.PHt.transpose(-1, -2))
        C = belief.C - product(K, belief.C[..., :3, :] + measured.G[:, None])
        log_det = log_det + 3 * (log_s + LOG_TWO_PI)
        likelihood = -(squared_length(S_inverse, seen.y) + log_det) / 2
        return Belief(x, symmetric(P), C, self.normal(belief.log_mu + likelihood + delta))

    def normal(self, log_weight: Tensor) -> Tensor:
        """Normalise log weights (N, M) and lift each probability to at least about the floor."""
        log_mu = torch.log_softmax(log_weight, dim=-1)
        return torch.log_softmax(torch.clamp(log_mu, min=math.log(self.floor)), dim=-1)


@fused
def log_density(belief: Belief, seen: Innovations, R: Tensor, log_r: Tensor) -> Tensor:
    """Return the mixture's log density of a measurement before it is used, (N,)."""
    S = seen.S + (torch.expm1(log_r)[:, None, None] * R)[:, None]
    S_inverse, log_det = inverse(S)
    each = -(squared_length(S_inverse, seen.y) + log_det + 3 * LOG_TWO_PI) / 2
    return torch.logsumexp(belief.log_mu + each, dim=1)


@fused
def collapse(belief: Belief) -> tuple[Tensor, Tensor]:
    """Return mean (N, 9) and covariance (N, 9, 9) of the mixture over the models."""
    mu = belief.log_mu.exp()[..., None]
    x = (mu * belief.x).sum(1)
    offset = belief.x - x[:, None]
    P = (mu[..., None] * belief.P).sum(1) + product((offset * mu).transpose(1, 2), offset)
    return x, symmetric(P)


def symmetric(P: Tensor) -> Tensor:
    """Return the symmetric part of matrices on the last two axes."""
    return (P + P.transpose(-1, -2)) / 2


def squared_length(S_inverse: Tensor, y: Tensor) -> Tensor:
    """Return yᵀ S⁻¹ y over the last axes."""
    return (product(S_inverse, y[..., None])[..., 0] * y).sum(-1)


def inverse(S: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inverse and the log determinant of symmetric 3×3 matrices."""
    return _Inverse.apply(S)  # type: ignore[no-any-return,no-untyped-call]


class _Inverse(torch.autograd.Function):
    """By cross products, and the gradient by the inverse itself: a tenth of autograd's kernels."""

    @staticmethod
    def forward(ctx: Any, S: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        rows = torch.linalg.cross(S.roll(-1, -2), S.roll(-2, -2))
        det = (rows[..., 0, :] * S[..., 0, :]).sum(-1)
        turned = rows / det[..., None, None]
        ctx.save_for_backward(turned)
        return turned, torch.log(det)

    @staticmethod
    def backward(ctx: Any, on_inverse: Tensor, on_log_det: Tensor) -> Tensor:  # type: ignore[override]
        (turned,) = ctx.saved_tensors
        gradient: Tensor = on_log_det[..., None, None] * turned - product(
            product(turned, on_inverse), turned
        )
        return gradient
