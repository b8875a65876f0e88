"""Lookup-free quantisation: a latent's signs are its code."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SHARPNESS = 2.0
"""Of the probability that a bit is set, sigmoid(SHARPNESS z)."""
SITES = 8192
"""Of a batch, at most so many are asked how evenly the codes are used."""


def quantise(z: Tensor) -> Tensor:
    """Return the signs of latents, ±1; gradients pass straight through to z.

    Source: Yu et al., Language Model Beats Diffusion: Tokenizer is Key to Visual Generation
    (MAGVIT-v2), 2024, section 3.1.
    """
    bits = torch.where(z > 0, 1.0, -1.0).to(z.dtype)
    return z + (bits - z).detach()


def tokens(z: Tensor) -> Tensor:
    """Return the codes of latents (..., C, H, W) as numbers, (..., H, W) int64; bit c is 2^c."""
    weight = 2 ** torch.arange(z.shape[-3], device=z.device)
    return ((z > 0) * weight[:, None, None]).sum(dim=-3)


def code_losses(z: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Return the entropy loss, nats per bit, and the commitment loss of latents (B, T, C, H, W).

    The entropy loss is small where each latent is sure of its bits while all codes are used alike:
    the mean entropy of a code less the entropy of the mean code. The bits of a code are
    independent given z, so the probability of each of the 2^C codes is a product.

    Args:
        z: Latents.
        generator: Draws the sites that are asked; all are asked where there are few.
    """
    bits = z.shape[2]
    flat = z.movedim(2, -1).reshape(-1, bits).float()  # (S, C)
    commitment = (flat.abs() - 1).square().mean()
    if len(flat) > SITES:
        chosen = torch.randint(len(flat), (SITES,), generator=generator, device=z.device)
        flat = flat[chosen]
    logit = SHARPNESS * flat
    on, off = functional.logsigmoid(logit), functional.logsigmoid(-logit)
    each = -(on.exp() * on + off.exp() * off).sum(dim=1).mean()
    number = torch.arange(2**bits, device=z.device)
    signs = (number[:, None] >> torch.arange(bits, device=z.device)) & 1  # (2^C, C)
    log_p = off.sum(dim=1, keepdim=True) + (on - off) @ signs.T.float()  # (S, 2^C)
    mean = log_p.exp().mean(dim=0)
    together = -(mean * (mean + 1e-12).log()).sum()
    return (each - together) / bits, commitment
