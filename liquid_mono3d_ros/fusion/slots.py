"""Embedding → what it says of each attribute, as logits of its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PAIR_UNITS = 96
"""Width of the layer that compares two objects."""
UNITS = 64
"""Width of the layer before the logits."""


@dataclass(frozen=True)
class Slot:
    """One attribute that has a head.

    Attributes:
        values: Its words.
        pair: Whether it is said of two objects together.
    """

    values: tuple[str, ...]
    pair: bool = False


class SlotHeads(nn.Module):
    """Embeddings (..., D) → logits of each slot's values.

    Args:
        embedding: D.
        slots: By name.
    """

    def __init__(self, embedding: int, slots: Mapping[str, Slot]) -> None:
        super().__init__()
        self.slots = dict(slots)
        self.alone = {name: len(one.values) for name, one in slots.items() if not one.pair}
        self.paired = {name: len(one.values) for name, one in slots.items() if one.pair}
        self.single = _layers(embedding, UNITS, sum(self.alone.values()))
        self.pair = _layers(2 * embedding, PAIR_UNITS, sum(self.paired.values()))

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """Return the logits (..., values) of each slot of one object."""
        return _by_name(self.single(embedding), self.alone)

    def compare(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Return the logits (..., values) of each slot of a pair, of its two embeddings."""
        return _by_name(self.pair(torch.cat([a, b], dim=-1)), self.paired)

    def read(self, pairs: Tensor) -> dict[str, Tensor]:
        """Return the logits of every slot of N pairs (N, 2, D).

        Those of an object are (N, 2, values), those of a pair (N, 1, values).
        """
        alone = self(pairs)
        both = self.compare(pairs[:, 0], pairs[:, 1])
        logits = {**alone, **{name: one[:, None] for name, one in both.items()}}
        return {name: logits[name] for name in self.slots}


def slot_loss(logits: Mapping[str, Tensor], label: Mapping[str, Tensor]) -> Tensor:
    """Return the mean cross-entropy over the slots, each over those to which it applies.

    Args:
        logits: As ``SlotHeads.read`` returns them.
        label: Index of the value of each, (N, 2); -1 where the attribute does not apply. That of a
            pair stands at the first object.
    """
    losses = []
    for name, logit in logits.items():
        true = label[name][:, : logit.shape[1]]
        total = functional.cross_entropy(
            logit.flatten(0, 1).float(), true.flatten(), ignore_index=-1, reduction="sum"
        )
        losses.append(total / (true >= 0).sum().clamp_min(1))
    return torch.stack(losses).mean()


def _layers(inputs: int, units: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, units), nn.SiLU(), nn.Linear(units, outputs))


def _by_name(logits: Tensor, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    parts = logits.split(list(sizes.values()), dim=-1)
    return dict(zip(sizes, parts, strict=True))
