"""What a video encoder is worth: pictures that come back, codes in use, features that tell."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.video.decoder import Decoder
from liquid_mono3d_ros.video.encoder import VideoEncoder
from liquid_mono3d_ros.video.quantiser import quantise, tokens

BATCH = 16
"""Clips encoded at a time."""
PATCH = 7
"""Half the side of the patch by which an object is found again, px."""


def to_clips(frames: Array | Tensor, device: str = "cpu") -> Tensor:
    """Return clips in [0, 1], (B, T, 3, H, W), from RGB (B, T, H, W, 3) uint8."""
    return torch.as_tensor(frames, device=device).movedim(-1, 2).float() / 255


@torch.no_grad()
def picture_scores(
    encoder: VideoEncoder, decoder: Decoder, frames: Array, uv: Array | None = None
) -> dict[str, float]:
    """Return how well clips come back from their codes.

    ``mse_of_blank_percent`` is the squared error over that of each clip's own mean colour;
    ``peak_*`` is how far from its true place the object is found in the decoded frames.

    Args:
        encoder: To measure.
        decoder: Trained with it.
        frames: (N, T, 64, 64, 3) uint8.
        uv: Place of the object, (N, T, 2) px; NaN, or outside the frame, where there is none.
    """
    device = str(next(encoder.parameters()).device)
    squared, blank, used, errors = 0.0, 0.0, [], []
    for first in range(0, len(frames), BATCH):
        clips = to_clips(frames[first : first + BATCH], device)
        _, z, _ = encoder.encode(clips)
        back = torch.sigmoid(decoder(quantise(z)))
        clips = clips[:, : back.shape[1]]
        squared += float((back - clips).square().sum())
        blank += float((clips - clips.mean(dim=(1, 3, 4), keepdim=True)).square().sum())
        used.append(tokens(z).unique().cpu())
        if uv is not None:
            decoded = (255 * back.movedim(2, -1)).round().byte().cpu().numpy()
            errors.append(peak_errors(decoded, frames[first : first + BATCH], uv[first:]))
    scores = {
        "mse_of_blank_percent": 100 * squared / blank,
        "codes_used_percent": 100 * len(torch.cat(used).unique()) / 2**encoder.design.bits,
    }
    if uv is not None:
        error = np.concatenate(errors)
        scores["peak_median_px"] = float(np.median(error))
        scores["peak_p95_px"] = float(np.quantile(error, 0.95))
    return scores


def peak_errors(decoded: Array, frames: Array, uv: Array) -> Array:
    """Return how far off the object is in decoded frames, px, of those in which there is one.

    The true frame's patch about the object is looked for in the whole decoded frame: the error is
    how far from its place it correlates best. A frame of one colour is wrong by its whole side.

    Args:
        decoded: (N, T, 64, 64, 3) uint8.
        frames: The true ones, at least as many.
        uv: (N, T, 2) px.
    """
    errors = []
    for n, t in np.ndindex(decoded.shape[:2]):
        if not (np.isfinite(uv[n, t]).all() and (np.abs(uv[n, t] - 31.5) < 32).all()):
            continue
        u, v = np.rint(uv[n, t]).astype(int)
        wide = [
            cv2.copyMakeBorder(one, PATCH, PATCH, PATCH, PATCH, cv2.BORDER_REPLICATE)
            for one in (frames[n, t], decoded[n, t])
        ]
        patch = wide[0][v : v + 2 * PATCH + 1, u : u + 2 * PATCH + 1]
        if decoded[n, t].std(axis=(0, 1)).max() < 1.0:
            errors.append(float(decoded.shape[2]))
            continue
        match = cv2.matchTemplate(wide[1], patch, cv2.TM_CCOEFF_NORMED)  # (64, 64)
        row, column = np.unravel_index(np.nan_to_num(match, nan=-1.0).argmax(), match.shape)
        errors.append(float(np.hypot(column - u, row - v)))
    return np.array(errors)


@torch.no_grad()
def features_of(encoder: VideoEncoder, frames: Array) -> Tensor:
    """Return the features of clips, (N, T', 512) on the CPU."""
    device = str(next(encoder.parameters()).device)
    parts = [
        encoder(to_clips(frames[first : first + BATCH], device))[0].cpu()
        for first in range(0, len(frames), BATCH)
    ]
    return torch.cat(parts)


def effective_rank(features: Tensor) -> float:
    """Return the exponential of the entropy of the spectrum of features (N, D) about their mean.

    Source: Roy & Vetterli, The effective rank: a measure of effective dimensionality, 2007, of the
    singular values.
    """
    spectrum = torch.linalg.svdvals((features - features.mean(dim=0)).double())
    share = spectrum / spectrum.sum()
    share = share[share > 0]
    return float(torch.exp(-(share * share.log()).sum()))


def probe(
    given: Tensor, label: Array, unseen: Tensor, *, hidden: int = 0, steps: int = 400
) -> Array:
    """Fit a reading of features (N, D) to labels (N,); return what it says of unseen ones.

    Args:
        given: Features.
        label: At least 0.
        unseen: (M, D).
        hidden: Width of one hidden layer; 0 for a linear reading.
        steps: Of the optimiser, each on all features.
    """
    mean, scale = given.mean(dim=0), given.std(dim=0) + 1e-6
    x, y = (given - mean) / scale, torch.as_tensor(label)
    count = int(y.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Linear(x.shape[1], hidden or count)]
        if hidden:
            layers += [nn.SiLU(), nn.Linear(hidden, count)]
    model = nn.Sequential(*layers)
    optimiser = torch.optim.AdamW(
        model.parameters(), 1e-2 if not hidden else 1e-3, weight_decay=0.1
    )
    for _ in range(steps):
        optimiser.zero_grad()
        functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        return np.asarray(model((unseen - mean) / scale).argmax(dim=1))
