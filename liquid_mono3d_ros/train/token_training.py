"""Train free tokens through a language model's loss, on what no slot tells: the proof of sight.

Each question is asked with the object's tokens before it, and the model, whose weights stay, has
to give the answer; the fusion and the tokens learn from its mistakes. Arms: "frozen"; "lora", with
low-rank layers in the model; "text", that without tokens: all that questions alone give away.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.low_rank import add_low_rank
from liquid_mono3d_ros.fusion.reader import load_reader
from liquid_mono3d_ros.fusion.token_writer import TokenWriter, save_tokens
from liquid_mono3d_ros.fusion.tokens import FreeTokens
from liquid_mono3d_ros.language.causal_lm import CausalSettings
from liquid_mono3d_ros.language.prompt import QUESTION, TOKENS
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.captions import Question, labels_of, questions
from liquid_mono3d_ros.synth.sights import ATTRIBUTES, Staging
from liquid_mono3d_ros.train.fusion_data import NO_SLOT, Lessons, draw_lessons
from liquid_mono3d_ros.train.fusion_training import VIDEO, schedule
from liquid_mono3d_ros.video.encoder import load_encoder

ARMS = ("frozen", "lora", "text")
CONTROLS = ("", "swapped", "zeroed")


@dataclass(frozen=True)
class TokenRecipe:
    """How the tokens are trained.

    Attributes:
        arms: Which of ``ARMS``.
        tokens: k of each object.
        rank: Of the low-rank layers.
        scenes: To learn from.
        batch: Questions of a step.
        steps: Of the optimiser.
        seconds: Longest training of one arm; the schedule follows the clock if it ends sooner.
        learning_rate: At most.
        weight_decay: Of AdamW.
        clip: Longest gradient.
        seed: Of scenes, questions and weights.
    """

    arms: tuple[str, ...] = ARMS
    tokens: int = 4
    rank: int = 8
    scenes: int = 6000
    batch: int = 64
    steps: int = 2500
    seconds: float = math.inf
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    clip: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    """A question about one track, and the words that could be the answer.

    Attributes:
        track: Row of the moments.
        question: With the right answer.
        options: The right answer is one of them.
    """

    track: int
    question: Question
    options: tuple[str, ...]


def ask(lessons: Lessons, split: str, seed: int) -> list[Asked]:
    """Return questions about what no slot tells, of every object of the scenes."""
    label = {name: values.numpy() for name, values in lessons.label.items()}
    asked = []
    for scene, object_ in np.ndindex(len(lessons), 2):
        words = {n: w for n, w in labels_of(label, scene, object_).items() if n in NO_SLOT}
        track = 2 * scene + object_
        for one in questions(words, split, int(_seed(seed, track))):
            if one.answerable:
                values = ATTRIBUTES[one.attribute].values
                options = values if one.kind == "open" else ("yes", "no")
                asked.append(Asked(track, one, options))
    return asked


class Prompter:
    """Questions and tokens → what a language model reads, as the causal backend prompts it.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its own.
        device: Where it is.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str = "cpu") -> None:
        self.model, self.tokenizer, self.device = model, tokenizer, device
        self.before, self.after = CausalSettings().question.split(TOKENS)
        table: Tensor = model.get_input_embeddings().weight
        self.dimension = table.shape[1]
        self.level = float(table.detach().float().square().mean().sqrt())
        self._known: dict[str, list[int]] = {}

    def cost(self, tokens: Tensor, asked: list[str], answers: list[str]) -> Tensor:
        """Return what each answer costs, its negative log-likelihood, (B,).

        Args:
            tokens: Of the objects asked about, (B, k, D).
            asked: Questions.
            answers: To them.
        """
        embed = self.model.get_input_embeddings()
        before = torch.tensor(self._ids(self.before), device=self.device)
        rest = [self._ids(self.after.replace(QUESTION, one)) for one in asked]
        said = [self._ids(f" {one}\n") for one in answers]
        longest = max(len(a) + len(b) for a, b in zip(rest, said, strict=True))
        ids = torch.zeros(len(asked), longest, dtype=torch.long)
        true = torch.full_like(ids, -1)
        for row, (a, b) in enumerate(zip(rest, said, strict=True)):
            ids[row, : len(a) + len(b)] = torch.tensor(a + b)
            true[row, len(a) : len(a) + len(b)] = torch.tensor(b)
        ids, true = ids.to(self.device), true.to(self.device)
        first = embed(before).expand(len(asked), -1, -1)
        words = torch.cat([first, tokens.to(first.dtype), embed(ids)], dim=1)
        out = self.model.base_model(inputs_embeds=words, use_cache=False)
        start = words.shape[1] - longest - 1  # a place tells of the word after it
        place = true >= 0
        logits = self.model.get_output_embeddings()(out.last_hidden_state[:, start:-1][place])
        each = functional.cross_entropy(logits.float(), true[place], reduction="none")
        return each.new_zeros(true.shape).masked_scatter(place, each).sum(dim=1)

    def _ids(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self.tokenizer.encode(text, add_special_tokens=False)
        return self._known[text]


class TokenTraining:
    """One arm in training; the language model gets its low-rank layers in place."""

    def __init__(
        self,
        recipe: TokenRecipe,
        arm: str,
        prompter: Prompter,
        reader: str | Path,
        lessons: Lessons,
        asked: list[Asked],
    ) -> None:
        if arm not in ARMS:
            got, cure = repr(arm), "Choose one of them."
            raise ValueError(complain("arm", f"one of {', '.join(ARMS)}", got, cure))
        self.recipe, self.arm, self.prompter = recipe, arm, prompter
        self.lessons, self.asked = lessons, asked
        torch.manual_seed(recipe.seed)
        prompter.model.requires_grad_(False)
        self.added = {} if arm == "frozen" else add_low_rank(prompter.model, recipe.rank)
        kept = load_reader(reader).requires_grad_(True).train()
        kept.heads.requires_grad_(False)
        free = FreeTokens(kept.fusion.embedding, prompter.dimension, recipe.tokens, prompter.level)
        self.writer = TokenWriter(kept, free).to(prompter.device)
        moved = [p for p in self.writer.parameters() if p.requires_grad] if arm != "text" else []
        self.parameters = [*moved, *self.added.values()]
        self.optimiser = torch.optim.AdamW(
            self.parameters, 0.0, betas=(0.9, 0.95), weight_decay=recipe.weight_decay
        )
        self.draw = np.random.default_rng(recipe.seed)
        self.done, self.rows = 0, list[tuple[int, float, float]]()

    def train(self) -> TokenWriter:
        """Train to the end of the recipe; ``rows`` gets step, seconds and loss."""
        begun, r = time.monotonic(), self.recipe
        while self.done < r.steps and (spent := time.monotonic() - begun) < r.seconds:
            rate = schedule(max(self.done / r.steps, spent / r.seconds))
            self.optimiser.param_groups[0]["lr"] = r.learning_rate * rate
            loss = self.improve()
            self.done += 1
            if self.done % 50 == 0 or self.done == 1:
                self.rows.append((self.done, time.monotonic() - begun, float(loss)))
        return self.writer.eval()

    def improve(self) -> Tensor:
        """Take one step; return the loss."""
        some = [self.asked[k] for k in self.draw.integers(len(self.asked), size=self.recipe.batch)]
        tracks = torch.tensor([one.track for one in some])
        kind = torch.device(self.prompter.device).type
        tokens = self._tokens(self.lessons, tracks)
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            texts = [one.question.text for one in some]
            cost = self.prompter.cost(tokens, texts, [one.question.answer for one in some])
        loss = cost.mean()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimiser.step()
        return loss.detach()

    @torch.no_grad()
    def score(
        self, lessons: Lessons, asked: list[Asked], control: str = ""
    ) -> dict[str, dict[str, int]]:
        """Return how often the likeliest option is right, by attribute and kind of question.

        Args:
            lessons: Scenes.
            asked: About their objects.
            control: "swapped" gives each question the tokens of another scene, "zeroed" none.
        """
        if control not in CONTROLS:
            got, cure = repr(control), "Choose one of them."
            raise ValueError(complain("control", f"one of {CONTROLS}", got, cure))
        shift = 2 * (len(lessons) // 2) if control == "swapped" else 0
        found: dict[str, dict[str, int]] = {}
        rows = [(one, option) for one in asked for option in one.options]
        costs = []
        for first in range(0, len(rows), self.recipe.batch):
            part = rows[first : first + self.recipe.batch]
            tracks = torch.tensor([(one.track + shift) % (2 * len(lessons)) for one, _ in part])
            tokens = self._tokens(lessons, tracks) * (control != "zeroed")
            texts = [one.question.text for one, _ in part]
            costs += self.prompter.cost(tokens, texts, [option for _, option in part]).tolist()
        left = iter(costs)
        for one in asked:
            each = [next(left) for _ in one.options]
            said = one.options[int(np.argmin(each))]
            count = found.setdefault(
                f"{one.question.attribute}.{one.question.kind}", {"right": 0, "n": 0}
            )
            count["n"] += 1
            count["right"] += said == one.question.answer
        return found

    def _tokens(self, lessons: Lessons, tracks: Tensor) -> Tensor:
        m = lessons.moments
        rows = tracks.to(m.video.device)
        some = m.take(rows)
        tokens: Tensor = self.writer(dataclasses.replace(some, video=some.video.float()))
        return tokens * (self.arm != "text")


def follow(
    path: str | Path | None,
    out: Path,
    *,
    lm: str | Path,
    reader: str | Path,
    device: str = "cpu",
    seconds: float | None = None,
    workers: int = 1,
    video: str | Path = VIDEO,
) -> dict[str, Any]:
    """Train by a recipe; write token writers, a log and scores into ``out``.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        lm: Directory of a LLaMA-family model and its tokenizer.
        reader: File of ``liquid-mono3d train fusion`` to begin from.
        device: "cpu" or "cuda".
        seconds: Longest training of one arm.
        workers: Processes that render.
        video: Weights of the video encoder.
    """
    path = Path(path or share_path("config/recipes/tokens.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    given = dict(content["training"])
    if seconds is not None:
        given["seconds"] = seconds
    recipe = recipe_of(given)
    out.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder(video).to(device)
    usual = content["staging"]
    # other scenes than those of the fusion, whose seeds are small
    learn = draw_lessons(Staging(**usual), recipe.scenes, 1000 + recipe.seed, encoder, workers)
    held_out = Staging(**usual, split="test")
    unseen = draw_lessons(
        held_out, content["scores"]["test"], 2000 + recipe.seed, encoder, workers
    )
    asked, exam = ask(learn, "train", recipe.seed), ask(unseen, "test", recipe.seed)
    learn, unseen = learn.to(device), unseen.to(device)
    scores: dict[str, Any] = {"questions": len(asked)}
    log: list[tuple[Any, ...]] = []
    for arm in recipe.arms:
        prompter = open_model(lm, device)
        training = TokenTraining(recipe, arm, prompter, reader, learn, asked)
        writer = training.train()
        log += [(arm, *row) for row in training.rows]
        scores[arm] = {c or "own": training.score(unseen, exam, c) for c in CONTROLS}
        card = {"arm": arm, "steps": training.done, "lm": Path(lm).name, "scores": scores[arm]}
        card["recipe_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        if arm != "text":
            save_tokens(out / f"tokens-{arm}.safetensors", writer, training.added, card)
        for name, one in scores[arm]["own"].items():
            print(f"{arm}: {name} {100 * one['right'] / one['n']:.1f} % of {one['n']}", flush=True)
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    with (out / "log.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("arm", "step", "seconds", "loss"), *log])
    return scores


def open_model(directory: str | Path, device: str = "cpu") -> Prompter:
    """Return a language model of a directory, ready to be asked; nothing is downloaded."""
    from liquid_mono3d_ros.language.language_model import LanguageModel

    found = LanguageModel.load(Path(directory), threads=0)
    return Prompter(found.model.to(device), found.tokenizer, device)


def recipe_of(given: Mapping[str, Any]) -> TokenRecipe:
    """Return the recipe that a mapping gives; what it leaves out keeps its default."""
    known = {field.name for field in dataclasses.fields(TokenRecipe)}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return TokenRecipe(**made)


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
