"""The video encoder on scenes it has not seen: pictures, codes, features, time. Needs torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import liquid_mono3d_ros
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array, complain

WEIGHTS = Path(liquid_mono3d_ros.__file__).parent / "weights" / "video.safetensors"
CLIP = 16
"""Frames of the clip that is timed."""


def measure(
    *, weights: str | Path = WEIGHTS, scenes: int = 300, given: int = 900, views: int = 300
) -> Report:
    """Measure an encoder with the decoder and the readers that were trained with it.

    Everything but the fit of the probes is on the held-out split: other rigs and backgrounds.

    Args:
        weights: File of ``liquid-mono3d train video``.
        scenes: Held-out scenes, two clips each.
        given: Scenes of the training split to which the probes are fitted.
        views: Held-out whole views.
    """
    import torch

    from liquid_mono3d_ros.synth.sights import Staging, draw_sights
    from liquid_mono3d_ros.synth.views import draw_views
    from liquid_mono3d_ros.train import video_data, video_scores
    from liquid_mono3d_ros.video.decoder import Decoder, Readers
    from liquid_mono3d_ros.video.encoder import load_encoder, read_video

    if not Path(weights).is_file():
        cure = "Train one with `liquid-mono3d train video`."
        raise FileNotFoundError(complain("weights", "an existing file", str(weights), cure))
    found, design = read_video(weights)
    attributes = video_data.attributes()
    encoder = load_encoder(weights)
    decoder, readers = Decoder(design), Readers(attributes)
    decoder.load_state_dict(found["decoder"])
    readers.load_state_dict(found["readers"])
    test = Staging(split="test")
    whole, uv = draw_views(test, views, seed=11)
    crops = video_data.crops_of(draw_sights(test, scenes, seed=12))
    fit = video_data.crops_of(draw_sights(Staging(), given, seed=13))
    pictures = [
        {
            "clips": name,
            "n": len(frames),
            **video_scores.picture_scores(encoder, decoder, frames, p),
        }
        for name, frames, p in (("whole views", whole, uv), ("crops", crops.frames, None))
    ]
    features = video_scores.features_of(encoder, crops.frames)
    known = video_scores.features_of(encoder, fit.frames).mean(dim=1)
    with torch.no_grad():
        logits = readers(features)[0]
    rows = [
        _read(name, crops.label[:, k], fit.label[:, k], logits[name], known, features.mean(dim=1))
        for k, name in enumerate(attributes)
    ]
    rank = video_scores.effective_rank(features.flatten(0, 1))
    size = sum(p.numel() for p in encoder.parameters())
    cost = {
        "encoder_parameters": size,
        "weights_mb": Path(weights).stat().st_size / 1e6,
        "clip_ms": clip_ms(encoder),
        "effective_rank": rank,
    }
    return Report("video", [*pictures, cost, *rows], _targets(pictures[0], cost, rows))


def clip_ms(encoder: Any, runs: int = 15) -> float:
    """Return the CPU time of one clip of 16 frames on one thread, ms: the least of some runs."""
    import torch

    threads, spent = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        clip = torch.rand(1, CLIP, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            for _ in range(runs + 2):
                begun = time.process_time()
                encoder(clip)
                spent.append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return 1e3 * min(spent[2:])


def _read(
    name: str, label: Array, fit_label: Array, logit: Any, known: Any, unseen: Any
) -> dict[str, Any]:
    """Return how well an attribute is read, by the trained reader and by probes fitted anew."""
    from liquid_mono3d_ros.train.video_scores import probe

    applies, given = label >= 0, fit_label >= 0
    truth = label[applies]

    def right(said: Array) -> float:
        return 100 * float(np.mean(said == truth))

    probes = {
        f"{kind}_percent": right(
            probe(known[given], fit_label[given], unseen[applies], hidden=hidden)
        )
        for kind, hidden in (("linear_probe", 0), ("mlp_probe", 128))
    }
    return {
        "attribute": name,
        "n": int(applies.sum()),
        "full_model_percent": right(np.asarray(logit.argmax(dim=1))[applies]),
        **probes,
        "majority_percent": 100 * float(np.bincount(truth).max() / len(truth)),
    }


def _targets(
    picture: dict[str, Any], cost: dict[str, Any], rows: list[dict[str, Any]]
) -> list[Target]:
    behind = max(row["full_model_percent"] - row["linear_probe_percent"] for row in rows)
    return [
        Target("mse_of_blank_percent", picture["mse_of_blank_percent"], 30.0),
        Target("peak_median_px", picture["peak_median_px"], 1.5),
        Target("peak_p95_px", picture["peak_p95_px"], 8.0),
        Target("codes_used_percent", picture["codes_used_percent"], 30.0, at_most=False),
        Target("effective_rank", cost["effective_rank"], 32.0, at_most=False),
        Target("linear_probe_behind_full_model_points", behind, 3.0),
        Target("clip_ms", cost["clip_ms"], 50.0),
        Target("weights_mb", cost["weights_mb"], 4.0),
    ]
