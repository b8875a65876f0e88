"""Train every system to read the slots from its embedding: same scenes, steps and tuning.

``liquid-mono3d train fusion`` renders scenes, encodes them once with the trained video encoder,
and trains each system from several seeds, on streams of one clock and on streams of two. It writes
the best reader of each system, a log and scores on held-out scenes.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

import liquid_mono3d_ros
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.reader import SYSTEMS, FusedReader, save_reader
from liquid_mono3d_ros.fusion.slots import slot_loss
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.sights import Staging, draw_sights
from liquid_mono3d_ros.train.fusion_data import Lessons, draw_lessons, lessons_of, packed, slots
from liquid_mono3d_ros.train.fusion_scores import majority, mean_percent, score
from liquid_mono3d_ros.train.video_scores import to_clips
from liquid_mono3d_ros.video.encoder import VideoEncoder, load_encoder, save_video

VIDEO = Path(liquid_mono3d_ros.__file__).parent / "weights" / "video.safetensors"
CONDITIONS = {"equal": ("equal",), "late": ("late", "shifted")}
"""What a reader is trained under → what it is tested under."""
LESSONS, LOG, SCORES = "lessons.pt", "log.csv", "scores.json"


@dataclass(frozen=True)
class FusionRecipe:
    """How the readers are trained.

    Attributes:
        systems: Which; see ``reader.SYSTEMS``.
        seeds: Readers of each system and condition.
        embedding: D, the hidden size of the language model that will read it.
        parameters: Of the fusion, about; the heads and the trajectory encoder come on top.
        scenes: To learn from.
        batch: Scenes of a step.
        steps: Of the optimiser.
        seconds: Longest training of one reader; the schedule follows the clock if it ends sooner.
        learning_rate: At most; it rises for 5 % of the run and falls along a cosine.
        weight_decay: Of AdamW.
        clip: Longest gradient.
        missing: Most of the events that are left out of a stream, a share drawn for each track.
        seed: Of scenes; the readers' seeds follow it.
    """

    systems: tuple[str, ...] = tuple(SYSTEMS)
    seeds: int = 3
    embedding: int = 576
    parameters: int = 250_000
    scenes: int = 16_000
    batch: int = 128
    steps: int = 1500
    seconds: float = math.inf
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    clip: float = 1.0
    missing: float = 0.2
    seed: int = 0


class FusionTraining:
    """One reader in training.

    Args:
        recipe: How.
        system: Which reader.
        seed: Of its weights and batches.
        lessons: On the device.
        device: "cpu" or "cuda".
    """

    def __init__(
        self, recipe: FusionRecipe, system: str, seed: int, lessons: Lessons, device: str = "cpu"
    ) -> None:
        self.recipe, self.lessons, self.device = recipe, lessons, device
        torch.manual_seed(seed)
        self.reader = FusedReader.of_size(system, recipe.embedding, recipe.parameters, slots())
        self.reader.to(device)
        self.optimiser = torch.optim.AdamW(
            self.reader.parameters(), 0.0, betas=(0.9, 0.95), weight_decay=recipe.weight_decay
        )
        self.draw = torch.Generator(device).manual_seed(seed)
        self.done, self.rows = 0, list[tuple[int, float, float]]()

    def train(self) -> FusedReader:
        """Train to the end of the recipe; ``rows`` gets step, seconds and loss."""
        begun, r = time.monotonic(), self.recipe
        while self.done < r.steps and (spent := time.monotonic() - begun) < r.seconds:
            rate = schedule(max(self.done / r.steps, spent / r.seconds))
            self.optimiser.param_groups[0]["lr"] = r.learning_rate * rate
            loss = self.improve()
            self.done += 1
            if self.done % 50 == 0 or self.done == 1:
                self.rows.append((self.done, time.monotonic() - begun, float(loss)))
        return self.reader.eval()

    def improve(self) -> Tensor:
        """Take one step; return the loss."""
        rows = torch.randint(
            len(self.lessons), (self.recipe.batch,), generator=self.draw, device=self.device
        )
        loss = self.loss(self.lessons.take(rows))
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.reader.parameters(), self.recipe.clip)
        self.optimiser.step()
        return loss.detach()

    def loss(self, batch: Lessons) -> Tensor:
        """Return the loss of scenes, some of their events left out."""
        m = batch.moments
        m = dataclasses.replace(
            m,
            video=m.video.float(),
            video_seen=self._thinned(m.video_seen),
            states=dataclasses.replace(m.states, seen=self._thinned(m.states.seen)),
        )
        pairs = self.reader(m).unflatten(0, (-1, 2))  # (N, 2, D)
        return slot_loss(self.reader.heads.read(pairs), batch.label)

    def _thinned(self, seen: Tensor) -> Tensor:
        def drawn(*shape: int) -> Tensor:
            return torch.rand(shape, generator=self.draw, device=self.device)

        share = self.recipe.missing * drawn(len(seen), 1)
        return seen & (drawn(*seen.shape) >= share)


def schedule(part: float) -> float:
    """Return the learning rate over its most, after a part of the run, 0 to 1."""
    return min(part / 0.05, 1.0) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0))) + 1e-3


def follow(
    path: str | Path | None,
    out: Path,
    *,
    device: str = "cpu",
    seconds: float | None = None,
    workers: int = 1,
    video: str | Path = VIDEO,
) -> dict[str, Any]:
    """Train by a recipe; write readers, a log and scores into ``out``.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        device: "cpu" or "cuda".
        seconds: Longest training of one reader.
        workers: Processes that render, and then that train, each some of the readers.
        video: Weights of the video encoder. Without such a file the recipe has to ask for one that
            is trained end to end, with ``encoder_steps``.
    """
    path = Path(path or share_path("config/recipes/fusion.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    given = dict(content["training"])
    if seconds is not None:
        given["seconds"] = seconds
    recipe = recipe_of(given)
    out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    encoder = _encoder(Path(video), recipe, content, out, device)
    sets = _sets(recipe, content, encoder.to(device), workers)
    torch.save({name: one.content() for name, one in sets.items()}, out / LESSONS)
    print(f"{time.monotonic() - begun:.0f} s: scenes and features", flush=True)
    hashes = {"recipe_sha256": _sha256(path), "video_sha256": _sha256(_weights(video, out))}
    jobs = [
        (recipe, system, condition, str(out), device, hashes)
        for condition in CONDITIONS
        for system in recipe.systems
    ]
    found = []
    for log, rows in _each(jobs, workers):
        found.append((log, rows))
        best = max(rows, key=lambda row: row["validation_percent"])
        took = f"{time.monotonic() - begun:.0f} s: {best['system']}, trained {best['trained']}"
        print(f"{took}: validation {best['validation_percent']:.1f} %", flush=True)
    (out / LESSONS).unlink()
    scores = {"majority": {n: majority(sets[n]) for n in ("late", "shifted")}}
    scores["rows"] = [row for _, rows in found for row in rows]  # type: ignore[assignment]
    (out / SCORES).write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    with (out / LOG).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["trained", "system", "seed", "step", "seconds", "loss"])
        writer.writerows(row for log, _ in found for row in log)
    return scores


def recipe_of(given: Mapping[str, Any]) -> FusionRecipe:
    """Return the recipe that a mapping gives; what it leaves out keeps its default."""
    known = {field.name for field in dataclasses.fields(FusionRecipe)}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return FusionRecipe(**made)


def _sets(
    recipe: FusionRecipe, content: Mapping[str, Any], encoder: VideoEncoder, workers: int
) -> dict[str, Lessons]:
    """Return scenes to learn from, to choose by, and to be tested on, held out."""
    usual = {"split": "train", **content["staging"]}
    stagings = {
        "learn": (usual, recipe.scenes),
        "validation": (usual, content["scores"]["validation"]),
        "late": ({**usual, "split": "test"}, content["scores"]["test"]),
        "shifted": ({**usual, **content["shifted"], "split": "test"}, content["scores"]["test"]),
    }
    return {
        name: draw_lessons(Staging(**one), n, 4 * recipe.seed + number, encoder, workers)
        for number, (name, (one, n)) in enumerate(stagings.items())
    }


def _each(jobs: list[Any], workers: int) -> Iterable[tuple[list[Any], list[dict[str, Any]]]]:
    if workers <= 1:
        yield from map(_train_system, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_train_system, jobs)


def _train_system(job: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """Train one system under one condition from every seed; write the best on validation."""
    recipe, system, condition, out, device, hashes = job
    if device != "cpu":
        torch.set_num_threads(1)
        torch.set_float32_matmul_precision("high")
    kept = torch.load(Path(out) / LESSONS, weights_only=True, mmap=True)
    sets = {name: Lessons.of_content(one) for name, one in kept.items()}
    if condition == "equal":
        sets = {name: one.on_time() for name, one in sets.items() if name != "shifted"}
        sets["equal"] = sets.pop("late")
    learn = sets["learn"].to(device)
    log, rows, best = [], [], -1.0
    for seed in range(recipe.seeds):
        training = FusionTraining(recipe, system, seed, learn, device)
        reader = training.train()
        log += [(condition, system, seed, *row) for row in training.rows]
        valid = mean_percent(score(reader, sets["validation"]))
        tests = {name: score(reader, sets[name]) for name in CONDITIONS[condition]}
        last = CONDITIONS[condition][-1]
        controls = {
            name: score(reader, sets[last], control=name) for name in ("shuffled", "zeroed")
        }
        row = {
            "trained": condition,
            "system": system,
            "seed": seed,
            "steps": training.done,
            "seconds": training.rows[-1][1] if training.rows else 0.0,
            "parameters": reader.num_parameters,
            "fusion_parameters": reader.fusion.num_parameters,
            "validation_percent": valid,
            "tested": tests,
            "controls": controls,
        }
        rows.append(row)
        if valid > best:
            best = valid
            card = {**hashes, **{k: row[k] for k in ("trained", "seed", "steps", "tested")}}
            save_reader(Path(out) / f"fusion-{system}-{condition}.safetensors", reader, card)
    return log, rows


def _encoder(
    weights: Path, recipe: FusionRecipe, content: Mapping[str, Any], out: Path, device: str
) -> VideoEncoder:
    """Return the trained encoder, or one that is trained here with a reader, and kept in out."""
    if weights.is_file():
        return load_encoder(weights)
    steps = int(content.get("encoder_steps", 0))
    if not steps:
        cure = "Train it with `liquid-mono3d train video`, or set encoder_steps in the recipe."
        raise FileNotFoundError(complain("video", "an existing file", str(weights), cure))
    encoder = end_to_end(recipe, Staging(**content["staging"]), steps, device)
    save_video(out / "video.safetensors", {"encoder": encoder}, encoder.design, {"steps": steps})
    return encoder


def end_to_end(
    recipe: FusionRecipe, staging: Staging, steps: int, device: str = "cpu"
) -> VideoEncoder:
    """Return an encoder trained through the slots of a liquid reader, for want of better weights.

    Its scenes stay in memory as pixels, so they are few: as many as two batches.
    """
    torch.manual_seed(recipe.seed)
    encoder = VideoEncoder().to(device)
    sights = draw_sights(staging, 2 * recipe.batch, recipe.seed)
    frames, times = packed(sights, encoder.design.time_stride)
    nothing = torch.zeros(*times["side"].shape, 512)
    lessons = lessons_of(sights, nothing, times).to(device)
    training = FusionTraining(recipe, "liquid", recipe.seed, lessons, device)
    training.optimiser.add_param_group({"params": list(encoder.parameters())})
    for group in training.optimiser.param_groups:
        group["lr"] = recipe.learning_rate / 4
    for _ in range(steps):
        scenes = torch.randperm(len(sights), generator=training.draw, device=device)
        scenes = scenes[: recipe.batch]
        batch = lessons.take(scenes)
        tracks = torch.stack([2 * scenes, 2 * scenes + 1], dim=1).flatten().cpu().numpy()
        video = encoder(to_clips(frames[tracks], device))[0]
        seen = dataclasses.replace(batch.moments, video=video)
        training.optimiser.zero_grad()
        training.loss(dataclasses.replace(batch, moments=seen)).backward()  # type: ignore[no-untyped-call]
        training.optimiser.step()
    return encoder.eval().requires_grad_(False)


def _weights(video: str | Path, out: Path) -> Path:
    return Path(video) if Path(video).is_file() else out / "video.safetensors"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
