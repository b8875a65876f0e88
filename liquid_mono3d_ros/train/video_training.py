"""Train the video encoder: pictures come back from codes, labels are read from features.

``liquid-mono3d train video`` draws clips in processes while it trains, and writes the weights,
a log, scores and a checkpoint to go on from.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.sights import Staging, draw_sights, draw_sights_parallel
from liquid_mono3d_ros.synth.views import draw_views
from liquid_mono3d_ros.train.video_data import Clips, attributes, chunks, crops_of
from liquid_mono3d_ros.train.video_scores import (
    effective_rank,
    features_of,
    picture_scores,
    to_clips,
)
from liquid_mono3d_ros.video.decoder import THUMBNAIL, Decoder, Readers
from liquid_mono3d_ros.video.encoder import VideoDesign, VideoEncoder, save_video
from liquid_mono3d_ros.video.quantiser import code_losses, quantise

WEIGHTS, CHECKPOINT, LOG, SCORES = "video.safetensors", "checkpoint.pt", "log.csv", "scores.json"
COLUMNS = ("picture", "entropy", "commitment", "thumbnail", "labels", "flash", "extent")
"""The losses of a step, as the log names them."""


@dataclass(frozen=True)
class VideoRecipe:
    """How the encoder is trained.

    Attributes:
        batch: Clips of a step; half of them are crops, half whole views.
        frames: Of a clip, at most: a stretch drawn anew each time. A shorter one may miss what
            its labels tell of.
        steps: Of the optimiser; the schedule follows the clock instead where ``seconds`` ends
            sooner.
        seconds: Longest training.
        learning_rate: At most; it rises for 3 % of the run and falls along a cosine.
        weight_decay: Of AdamW.
        clip: Longest gradient.
        average: Part of the averaged weights that each step keeps; those are saved.
        entropy: Weight of the entropy of the codes.
        commitment: Weight of the distance of latents from their bits.
        thumbnail: Weight of the small picture that is read from a feature.
        labels: Weight of the attributes that are read from a clip's mean feature.
        flash: Weight of the flashes that are read from a feature.
        extent: Weight of the object's size that is read from a feature.
        chunks: Of scenes and views that are drawn.
        first_chunks: That must be there before the first step.
        keep_every: Seconds between checkpoints.
        seed: Of weights, batches and clips.
    """

    batch: int = 64
    frames: int = 30
    steps: int = 8000
    seconds: float = math.inf
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    entropy: float = 0.1
    commitment: float = 0.05
    thumbnail: float = 1.0
    labels: float = 0.02
    flash: float = 0.2
    extent: float = 0.2
    chunks: int = 600
    first_chunks: int = 40
    keep_every: float = 60.0
    seed: int = 0


class Pool:
    """Clips of one kind in memory, as bytes; it grows."""

    def __init__(self, device: str) -> None:
        self.device, self.length = device, 0
        self.held: dict[str, Tensor] = {}

    def add(self, clips: Clips) -> None:
        """Put clips in; what was there is copied only when the memory doubles."""
        end = self.length + len(clips.frames)
        for name, values in vars(clips).items():
            given, old = torch.from_numpy(values), self.held.get(name)
            if old is None or end > len(old):
                new = torch.empty(2 * end, *given.shape[1:], dtype=given.dtype, device=self.device)
                if old is not None:
                    new[: self.length] = old[: self.length]
                self.held[name] = new
            self.held[name][self.length : end] = given.to(self.device)
        self.length = end

    def draw(self, n: int, length: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return a stretch of n clips: frames in [0, 1], (n, T, 3, 64, 64), and what is known."""
        rows = torch.randint(self.length, (n,), generator=generator).to(self.device)
        spare = max(self.held["frames"].shape[1] - length, 0)
        start = int(torch.randint(spare + 1, (1,), generator=generator))
        stretch = slice(start, start + length)
        drawn = {name: self.held[name][:, stretch][rows] for name in ("frames", "flash", "extent")}
        drawn["frames"] = to_clips(drawn["frames"], self.device)
        return {**drawn, "label": self.held["label"][rows]}


class VideoTraining:
    """Encoder, decoder and readers in training, and what it takes to go on.

    Args:
        recipe: How.
        design: Shape of the networks.
        device: "cpu" or "cuda"; there the networks work in bfloat16.
    """

    def __init__(self, recipe: VideoRecipe, design: VideoDesign, device: str) -> None:
        self.recipe, self.design, self.device = recipe, design, device
        torch.manual_seed(recipe.seed)
        self.networks: dict[str, Any] = {
            "encoder": VideoEncoder(design).to(device),
            "decoder": Decoder(design).to(device),
            "readers": Readers(attributes()).to(device),
        }
        self.parameters = [p for one in self.networks.values() for p in one.parameters()]
        self.averaged = [p.detach().clone() for p in self.parameters]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            0.0,
            betas=(0.9, 0.95),
            weight_decay=recipe.weight_decay,
            fused=device == "cuda",
        )
        self.batches = torch.Generator().manual_seed(recipe.seed)
        self.done, self.spent = 0, 0.0

    def improve(self, pools: Iterable[Pool]) -> Tensor:
        """Take one step of the optimiser; return the losses, in the order of ``COLUMNS``."""
        part = max(self.done / self.recipe.steps, self.spent / self.recipe.seconds)
        self.optimiser.param_groups[0]["lr"] = self.recipe.learning_rate * _schedule(part)
        self.optimiser.zero_grad()
        total = torch.zeros(len(COLUMNS), device=self.device)
        shares = [pool for pool in pools if pool.length]
        for pool in shares:
            n = self.recipe.batch // len(shares)
            drawn = pool.draw(n, self.recipe.frames, self.batches)
            losses = self._losses(drawn) / len(shares)
            (losses * self._weights()).sum().backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimiser.step()
        self.done += 1
        keep = min(self.recipe.average, self.done / (self.done + 10))
        torch._foreach_lerp_(self.averaged, [p.detach() for p in self.parameters], 1 - keep)
        return total

    def _weights(self) -> Tensor:
        r = self.recipe
        weights = [1.0, r.entropy, r.commitment, r.thumbnail, r.labels, r.flash, r.extent]
        return torch.tensor(weights, device=self.device)

    def _losses(self, drawn: Mapping[str, Tensor]) -> Tensor:
        """Return the losses of clips, unweighted; what is not known of a clip costs nothing."""
        clips, kind = drawn["frames"], torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            features, z, _ = self.networks["encoder"].encode(clips)
            back = self.networks["decoder"](quantise(z)).float()
            logits, small, instant = self.networks["readers"](features)
        stride, steps = self.design.time_stride, features.shape[1]
        picture = functional.binary_cross_entropy_with_logits(back, clips[:, : back.shape[1]])
        grey = clips[:, ::stride].mean(dim=2)
        shrunk = functional.avg_pool2d(grey, grey.shape[-1] // THUMBNAIL)
        thumbnail = functional.mse_loss(small.float(), shrunk)
        read = [
            functional.cross_entropy(logit.float(), label, ignore_index=-1, reduction="sum")
            / (label >= 0).sum().clamp_min(1)
            for logit, label in zip(logits.values(), drawn["label"].unbind(1), strict=True)
        ]
        lit = functional.pad(drawn["flash"], (stride - 1, 0))[:, : steps * stride]
        lit = lit.unflatten(1, (steps, stride)).amax(dim=2)  # in any frame of the step
        flash = functional.binary_cross_entropy_with_logits(
            instant[..., 0].float(), torch.nan_to_num(lit), reduction="none"
        )
        size = drawn["extent"][:, ::stride]
        extent = (instant[..., 1].float() - torch.nan_to_num(size)).square()
        known = [_mean_of(flash, lit), _mean_of(extent, size)]
        return torch.stack([picture, *code_losses(z), thumbnail, torch.stack(read).sum(), *known])

    def trained(self) -> dict[str, Any]:
        """Return the networks with the averaged weights; the training ends with that."""
        with torch.no_grad():
            for p, mean in zip(self.parameters, self.averaged, strict=True):
                p.copy_(mean)
        return self.networks

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        state = {
            "networks": {name: one.state_dict() for name, one in self.networks.items()},
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "batches": self.batches.get_state(),
            "done": self.done,
            "spent": self.spent,
        }
        half = path.with_suffix(".part")
        torch.save(state, half)
        half.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        for name, kept in state["networks"].items():
            self.networks[name].load_state_dict(kept)
        self.averaged = state["averaged"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.batches.set_state(state["batches"].cpu())
        self.done, self.spent = state["done"], state["spent"]


def follow(
    path: str | Path | None,
    out: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    seconds: float | None = None,
    workers: int = 1,
) -> dict[str, float]:
    """Train by a recipe; write weights, log, scores and checkpoint into ``out``.

    Without workers the same seed gives the same weights. With them, too, but for which clips were
    there at which step: training goes on while they are drawn.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        device: "cpu" or "cuda".
        resume: Go on from the checkpoint in ``out``.
        seconds: Longest training, checkpoints and all but the drawing before the first step.
        workers: Processes that draw; 0 draws before the first step, in this one.
    """
    path = Path(path or share_path("config/recipes/video.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    given = dict(content["training"])
    if seconds is not None:
        given["seconds"] = seconds
    recipe = recipe_of(given)
    staging = Staging(**content.get("staging", {}))
    out.mkdir(parents=True, exist_ok=True)
    torch.backends.cudnn.benchmark = True  # the shapes of a step are always the same
    training = VideoTraining(recipe, VideoDesign.of(content.get("design", {})), device)
    if resume:
        training.restore(out / CHECKPOINT)
    _train(training, staging, out, workers, resume)
    training.save(out / CHECKPOINT)
    networks = training.trained()
    scores = _scores(networks, staging, content["scores"], workers)
    card = {
        "recipe": path.name,
        "recipe_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seed": recipe.seed,
        "steps": training.done,
        "seconds": round(training.spent, 1),
        "scores": scores,
    }
    save_video(out / WEIGHTS, networks, training.design, card)
    (out / SCORES).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print("\n".join(f"{name}: {value:.4g}" for name, value in scores.items()))
    return scores


def _mean_of(values: Tensor, known: Tensor) -> Tensor:
    """Return the mean of the values whose neighbour in ``known`` is a number; 0 of none."""
    there = known.isfinite()
    return (values * there).sum() / there.sum().clamp_min(1)


def recipe_of(given: Mapping[str, Any]) -> VideoRecipe:
    """Return the recipe that a mapping gives; what it leaves out keeps its default."""
    known = {field.name for field in dataclasses.fields(VideoRecipe)}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    return VideoRecipe(**given)


def _train(
    training: VideoTraining, staging: Staging, out: Path, workers: int, resume: bool
) -> None:
    """Take steps until the recipe's end, with a row of the log every so often."""
    from tqdm import tqdm

    recipe = training.recipe
    crops, views = Pool(training.device), Pool(training.device)
    mode = "a" if resume else "w"
    with (
        chunks(recipe.chunks, staging, recipe.seed, workers) as arrivals,
        (out / LOG).open(mode, newline="", encoding="utf-8") as file,
        tqdm(total=recipe.steps, initial=training.done, unit="step", mininterval=2.0) as bar,
    ):
        writer = csv.writer(file)
        if not resume:
            writer.writerow(["step", "seconds", "clips", *COLUMNS])
        first = recipe.chunks if workers == 0 else recipe.first_chunks
        _fill(crops, views, arrivals.take(first))
        spent, begun, kept = training.spent, time.monotonic(), time.monotonic()
        while training.done < recipe.steps and training.spent < recipe.seconds:
            losses = training.improve((crops, views))
            training.spent = spent + time.monotonic() - begun
            bar.update()
            if training.done % 20 == 0:
                _fill(crops, views, arrivals.take(first))
            if training.done % 50 == 0 or training.done == 1:
                row = [f"{value:.5f}" for value in losses.tolist()]
                writer.writerow(
                    [training.done, f"{training.spent:.1f}", crops.length + views.length, *row]
                )
                file.flush()
                bar.set_postfix_str(
                    f"{crops.length + views.length} clips, " + " ".join(row), refresh=False
                )
            if time.monotonic() - kept > recipe.keep_every:
                training.save(out / CHECKPOINT)
                kept = time.monotonic()


def _fill(crops: Pool, views: Pool, found: Iterable[tuple[Clips, Clips]]) -> None:
    for some_crops, some_views in found:
        crops.add(some_crops)
        views.add(some_views)


def _scores(
    networks: Mapping[str, Any], staging: Staging, counts: Mapping[str, int], workers: int
) -> dict[str, float]:
    """Return what the networks are worth on the held-out split."""
    test = dataclasses.replace(staging, split="test")
    encoder, decoder, readers = (
        networks[name].eval() for name in ("encoder", "decoder", "readers")
    )
    views, uv = draw_views(test, counts["views"], seed=1)
    if workers > 1:
        crops = crops_of(draw_sights_parallel(test, counts["scenes"], 2, workers))
    else:
        crops = crops_of(draw_sights(test, counts["scenes"], 2))
    whole = {f"views_{k}": v for k, v in picture_scores(encoder, decoder, views, uv).items()}
    near = {f"crops_{k}": v for k, v in picture_scores(encoder, decoder, crops.frames).items()}
    features = features_of(encoder, crops.frames)
    rank = effective_rank(features.flatten(0, 1))
    with torch.no_grad():
        read = readers.cpu()(features)[0]
    right = {}
    for k, (name, logit) in enumerate(read.items()):
        applies = torch.as_tensor(crops.label[:, k] >= 0)
        hit = logit.argmax(dim=1) == torch.as_tensor(crops.label[:, k])
        right[f"{name}_percent"] = 100 * float(hit[applies].float().mean())
    return {**whole, **near, "effective_rank": rank, **right}


def _schedule(part: float) -> float:
    """Return the learning rate over its most, after a part of the run, 0 to 1."""
    return min(part / 0.03, 1.0) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0))) + 1e-3
