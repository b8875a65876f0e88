"""Fusion in the light of a question: events and words attend to one another, then a cell."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.fusion_module import CLOCK, Fusion, after_last
from liquid_mono3d_ros.fusion.streams import Events, Streams
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

WORDS = 8
"""Learnt ones that stand in for a question."""
MOST = 8.0
"""Attention's logits are squashed to this, so that their running sums stay finite."""


class LiquidCrossModalFusion(Fusion):
    """Attention both ways between events and the words of a question, then ``AdaptiveTauCell``.

    A word attends to the events so far, and takes in what it found; an event attends to the words
    as they then are. So no later event moves an earlier state.
    """

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__(embedding, units)
        self.word = nn.Linear(embedding, units)
        self.words = nn.Parameter(torch.randn(WORDS, units) / math.sqrt(units))
        self.asks = nn.Linear(units, units)  # word → query
        self.offers = nn.Linear(units + CLOCK, 2 * units)  # event → key and value
        self.looks = nn.Linear(units + CLOCK, units)  # event → query
        self.tells = nn.Linear(units, 2 * units)  # word → key and value
        self.layer = Liquid(2 * units + CLOCK, units, cell="adaptive")

    def forward(
        self, streams: Streams, words: Tensor | None = None, words_seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the embedding (B, D), and it as it was after each event, (B, E, D).

        Args:
            streams: Of the tracks.
            words: Of the question about each, as the language model embeds them, (B, Q, D);
                learnt ones when None.
            words_seen: Which there are, (B, Q) bool; all when None.
        """
        events, past = self._asked(streams, words, words_seen)
        hidden = self.out(past)
        return after_last(hidden, events.seen), hidden

    def embed(
        self, streams: Streams, words: Tensor | None = None, words_seen: Tensor | None = None
    ) -> Tensor:
        """Return the embedding alone, (B, D), for less work."""
        events, past = self._asked(streams, words, words_seen)
        found: Tensor = self.out(after_last(past, events.seen))
        return found

    def _asked(
        self, streams: Streams, words: Tensor | None, words_seen: Tensor | None
    ) -> tuple[Events, Tensor]:
        events = self.clocked(streams)
        batch = len(events.x)
        if words is None:
            asked = self.words.expand(batch, -1, -1)
        elif words.ndim != 3 or len(words) != batch or words.shape[2] != self.embedding:
            rule, got = f"of shape ({batch}, Q, {self.embedding})", f"shape {tuple(words.shape)}"
            raise ValueError(complain("words", rule, got, "Give one question per track."))
        else:
            level = words.square().mean(dim=2, keepdim=True).clamp_min(1e-12).rsqrt()
            asked = self.word(words * level)
        there = torch.ones(asked.shape[:2], dtype=torch.bool, device=asked.device)
        there = there if words_seen is None else words_seen
        heard = self._attend(asked, there, events)
        h = self.layer(torch.cat([events.x, heard], dim=2), timespans=events.dt, mask=events.seen)[
            0
        ]
        return events, self.summarise(h, events)

    def _attend(self, words: Tensor, there: Tensor, events: Events) -> Tensor:
        """Return what each event hears of words that have attended to those so far, (B, E, H)."""
        key, value = self.offers(events.x).chunk(2, dim=2)
        weight = torch.exp(_logits(torch.einsum("bqh,beh->bqe", self.asks(words), key), key))
        weight = (weight * events.seen[:, None])[..., None]  # (B, Q, E, 1)
        total = weight.cumsum(dim=2).clamp_min(1e-6)
        words = words[:, :, None] + (weight * value[:, None]).cumsum(dim=2) / total
        key, value = self.tells(words).chunk(2, dim=3)  # (B, Q, E, H)
        score = _logits(torch.einsum("beh,bqeh->bqe", self.looks(events.x), key), key)
        share = score.masked_fill(~there[..., None], -torch.inf).softmax(dim=1)
        return torch.einsum("bqe,bqeh->beh", torch.nan_to_num(share), value)


def _logits(product: Tensor, key: Tensor) -> Tensor:
    return MOST * torch.tanh(product / math.sqrt(key.shape[-1]) / MOST)
