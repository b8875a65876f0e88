"""Embeddings and slots → tokens that a language model reads between the words of its prompt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.slots import Slot

SPOKEN = {"blinking": {"no": "steady", "yes": "blinking"}}
"""Values that are no words of their own → the words that stand for them."""
RANK = 64
"""Of the layer between the embedding and the free tokens."""


def slot_words(slots: Mapping[str, Slot]) -> dict[str, tuple[str, ...]]:
    """Return the words of each slot: its name, and then its values as they are said.

    Example:
        >>> slot_words({"nearer_colour": Slot(("red", "blue"), pair=True)})
        {'nearer_colour': ('nearer colour', 'red', 'blue')}
    """
    return {
        name: (
            name.replace("_", " "),
            *(SPOKEN.get(name, {}).get(value, value) for value in slot.values),
        )
        for name, slot in slots.items()
    }


class SlotTokens(nn.Module):
    """Logits of slots → for each its name, and the word that is expected; nothing to train.

    The word is the mean of the values' embeddings, weighted with their probabilities: a slot that
    is sure is that word, one that is not lies between words.

    Args:
        words: Of each slot, its name first, as the language model embeds them, (1 + values, D).
    """

    def __init__(self, words: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names = tuple(words)
        for name, table in words.items():
            self.register_buffer(f"words_{name}", table.detach().clone(), persistent=False)

    def forward(self, logits: Mapping[str, Tensor], names: Sequence[str] | None = None) -> Tensor:
        """Return tokens (B, 2 n, D): name and word of each of n slots.

        Args:
            logits: Of each slot, (B, values).
            names: Which slots, in which order; all of them when None.
        """
        tokens = []
        for name in self.names if names is None else names:
            table: Tensor = getattr(self, f"words_{name}")
            chance = logits[name].softmax(dim=-1).to(table.dtype)
            tokens += [table[0].expand(len(chance), -1), chance @ table[1:]]
        return torch.stack(tokens, dim=1)


class FreeTokens(nn.Module):
    """Embedding (B, D) → k tokens (B, k, D_lm), linear through ``RANK`` numbers.

    Args:
        embedding: D.
        model: D_lm, the size of a word's embedding, as the language model has it.
        count: k.
        level: Root mean square of the language model's word embeddings; a fresh module makes
            tokens of about this.
    """

    def __init__(self, embedding: int, model: int, count: int = 4, level: float = 0.1) -> None:
        super().__init__()
        self.count, self.model = count, model
        self.squeeze = nn.Linear(embedding, RANK)
        self.norm = nn.LayerNorm(RANK)
        self.spread = nn.Linear(RANK, count * model)
        nn.init.normal_(self.spread.weight, std=level / math.sqrt(RANK))
        nn.init.zeros_(self.spread.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return tokens (B, k, D_lm)."""
        found: Tensor = self.spread(self.norm(self.squeeze(embedding)))
        return found.view(*found.shape[:-1], self.count, self.model)


def assemble(*parts: Tensor) -> Tensor:
    """Return slot tokens and free tokens in one sequence, (B, n, D_lm).

    Raises:
        ValueError: If they are made for different models.
    """
    shapes = {(len(part), part.shape[-1]) for part in parts}
    if len(shapes) != 1:
        rule, got = "of one batch and one model", str([tuple(part.shape) for part in parts])
        raise ValueError(complain("parts", rule, got, "Make them with the same model's words."))
    return torch.cat(parts, dim=1)
