"""Training over a bank that runs by itself: what it believed is written down once, read often.

The network weighs the members' states anew and moves the result; nothing it says reaches the bank.
So a step costs what the network costs, and its advice on noise stays untrained, at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from liquid_mono3d_ros.liquid.advice import SHORTEST
from liquid_mono3d_ros.synth.flights import Flights
from liquid_mono3d_ros.train.advisers import (
    Adviser,
    Memory,
    invariants,
    read_answers,
    remember,
)
from liquid_mono3d_ros.train.closed_loop import Frames
from liquid_mono3d_ros.train.differentiable_bank import (
    Belief,
    TorchBank,
    collapse,
    inverse,
    squared_length,
)
from liquid_mono3d_ros.train.filter_training import (
    Errors,
    Recipe,
    Training,
    per_model_loss,
    summary,
)
from liquid_mono3d_ros.train.fusing import fused, product


@dataclass(frozen=True)
class Tape:
    """What a bank believed of N tracks at K frames, float32, relative to the truth.

    Attributes:
        heard: What the networks hear, (N, K, 71).
        dt: Since the last measurement, s; 0 where nothing was measured, (N, K).
        seen: (N, K).
        log_mu: Of the members after the frame, (N, K, 5).
        place: Members' positions less the true one, (N, K, 5, 3).
        speed: Members' velocities less the true one, (N, K, 5, 3).
        P_place: Their covariances, (N, K, 5, 3, 3).
        P_speed: (N, K, 5, 3, 3).
        moves: Vectors along which the position may be moved, but for the members', (N, K, 4, 3).
        turns: The same of the velocity.
    """

    heard: Tensor
    dt: Tensor
    seen: Tensor
    log_mu: Tensor
    place: Tensor
    speed: Tensor
    P_place: Tensor
    P_speed: Tensor
    moves: Tensor
    turns: Tensor

    def take(self, rows: Tensor) -> Tape:
        """Return the chosen tracks."""
        return Tape(*(getattr(self, field.name)[rows] for field in fields(self)))


@torch.no_grad()
def record(bank: TorchBank, flights: Flights, device: str, *, known: Tensor | None = None) -> Tape:
    """Run the bank over flights and write down what it believed.

    Args:
        bank: Tuned.
        flights: Every first frame must be seen.
        device: Where the work is done and the tape lies.
        known: Whether gravity is told, (N,); None for always.
    """
    frames = Frames.of(flights, device)
    gravity = frames.gravity if known is None else frames.gravity * known[:, None]
    frames = Frames(**{**vars(frames), "gravity": gravity})
    n = len(flights.t)
    nothing = frames.z.new_zeros(n)
    memory = Memory(frames.z.new_zeros(n, 3), frames.z.new_zeros(n, 3), nothing, nothing)
    belief, since, rows = bank.birth(frames.at(0).measured), nothing, []
    for k in range(1, frames.t.shape[0]):
        frame = frames.at(k)
        s, measured, since = frame.seen, frame.measured, since + frame.dt
        predicted = bank.predict(belief, frame.dt, gravity, nothing)
        seen = bank.compare(predicted, measured)
        before, _ = collapse(predicted)
        heard = invariants(seen, measured, predicted.log_mu, before, gravity, since, memory)
        corrected = bank.correct(
            predicted, seen, measured, log_r=nothing, openness=nothing, delta=nothing[:, None]
        )
        belief = Belief(
            *(
                torch.where(s.reshape(-1, *[1] * (a.ndim - 1)), a, b)
                for a, b in (
                    (getattr(corrected, f.name), getattr(predicted, f.name))
                    for f in fields(Belief)
                )
            )
        )
        dt = torch.clamp(since, min=SHORTEST)[:, None]
        velocity, usual = before[:, 3:6], memory.usual
        moves = torch.stack([seen.mean, velocity * dt, usual, gravity * dt**2 / 2], dim=1)
        turns = torch.stack([seen.mean / dt, velocity, usual / dt, gravity * dt], dim=1)
        last, leaky = remember(seen, since, memory)
        memory = Memory(
            torch.where(s[:, None], last, memory.last),
            torch.where(s[:, None], leaky, memory.usual),
            nothing,
            nothing,
        )
        rows.append(
            Tape(
                heard,
                since * s,
                s,
                belief.log_mu,
                belief.x[..., :3] - frames.xyz[k][:, None],
                belief.x[..., 3:6] - frames.velocity[k][:, None],
                belief.P[..., :3, :3],
                belief.P[..., 3:6, 3:6],
                moves,
                turns,
            )
        )
        since = torch.where(s, nothing, since)
    return Tape(
        *(
            torch.stack([_light(getattr(row, field.name)) for row in rows], dim=1)
            for field in fields(Tape)
        )
    )


def errors(groups: list[Adviser], tape: Tape) -> Errors:
    """Return what the networks make of a tape; the tracks are shared out evenly among them."""
    total = sum(group.models for group in groups)
    heard = tape.heard.unflatten(0, (total, -1))  # (S, n, K, 71)
    dt = tape.dt.unflatten(0, (total, -1))[..., None]
    seen = tape.seen.unflatten(0, (total, -1))[..., None]
    answers, first = [], 0
    for group in groups:
        mine = slice(first, first + group.models)
        answers.append(_answers(group, heard[mine], dt[mine], seen[mine]).flatten(0, 1))
        first += group.models
    return apply(torch.cat(answers), tape)


@fused
def apply(answers: Tensor, tape: Tape) -> Errors:
    """Weigh the members anew and move the result, as the answers (N, K, 28) say."""
    n, k = tape.seen.shape
    advice = read_answers(answers.flatten(0, 1))
    mu = torch.softmax(tape.log_mu + advice.delta.unflatten(0, (n, k)), dim=-1)[..., None]
    seen = tape.seen[..., None]
    scale = torch.exp(advice.log_scale.unflatten(0, (n, k)))
    parts = []
    for members, P, vectors, share, c in (
        (tape.place, tape.P_place, tape.moves, advice.move, scale[..., 0]),
        (tape.speed, tape.P_speed, tape.turns, advice.turn, scale[..., 1]),
    ):
        mean = (mu * members).sum(2)
        offset = members - mean[:, :, None]
        block = (mu[..., None] * P).sum(2) + product((offset * mu).transpose(-1, -2), offset)
        along = torch.cat([offset, vectors], dim=2)  # (N, K, 9, 3)
        moved = (share.unflatten(0, (n, k))[..., None] * along).sum(2) * seen
        length2 = squared_length(inverse(block.double())[0].float(), moved)
        moved = moved / torch.sqrt(1 + length2 / 9)[..., None]
        parts.append((mean + moved, block * c[..., None, None]))
    (place, P_place), (speed, P_speed) = parts
    return Errors(
        place.transpose(0, 1),
        speed.transpose(0, 1),
        P_place.transpose(0, 1),
        P_speed.transpose(0, 1),
        torch.zeros_like(tape.dt.T),
    )


class OpenTraining(Training):
    """``Training`` over a tape."""

    def __init__(self, recipe: Recipe, bank: TorchBank, flights: Flights, device: str) -> None:
        super().__init__(recipe, bank, flights, device)
        told = torch.rand(len(flights), generator=torch.Generator().manual_seed(recipe.seed))
        known = (told < recipe.known_gravity).to(device)
        self.tape = record(bank, flights, device, known=known)

    def _draw(self) -> Tape:  # type: ignore[override]
        return self.tape.take(self._rows())

    def _improve(self, batch: Tape) -> Tensor:  # type: ignore[override]
        models = sum(arm.seeds for arm in self.recipe.arms)
        self.optimiser.zero_grad(set_to_none=False)
        loss = per_model_loss(errors(self.groups, batch), models)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        self._move()
        return loss.detach()


@torch.no_grad()
def open_scores(group: Adviser, tape: Tape) -> list[dict[str, float]]:
    """Return what ``filter_training.scores`` does, of each model of a group, from a tape."""
    rows = torch.arange(len(tape.seen), device=tape.seen.device).repeat(group.models)
    return summary(errors([group], tape.take(rows)), group.models)


def _answers(group: Adviser, heard: Tensor, dt: Tensor, seen: Tensor) -> Tensor:
    """Return the answers (S, n, K, 28) of one group."""
    s, n, k, _ = heard.shape
    drive = group.drive(heard.flatten(1, 2)).unflatten(1, (n, k))
    h, outputs = group.begin(n), []
    for p, since, is_seen in zip(drive.unbind(2), dt.unbind(2), seen.unbind(2), strict=True):
        output, new = group.cell(p, h, since)
        h = torch.where(is_seen.reshape(s, n, *[1] * (h.ndim - 2)), new, h)
        outputs.append(output)
    read = group.read(torch.stack(outputs, dim=2).flatten(1, 2)).unflatten(1, (n, k))
    return _held(read, seen)


def _held(answers: Tensor, seen: Tensor) -> Tensor:
    """Repeat the last answers where nothing was seen; zeros before the first."""
    k = torch.arange(1, seen.shape[2] + 1, device=seen.device)
    latest = torch.cummax(k[:, None] * seen, dim=2).values  # (S, n, K, 1), 0 for none
    padded = torch.cat([torch.zeros_like(answers[:, :, :1]), answers], dim=2)
    return padded.gather(2, latest.expand_as(answers))


def _light(a: Tensor) -> Tensor:
    return a if a.dtype == torch.bool else a.float()
