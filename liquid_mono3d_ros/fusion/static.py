"""The fusion that every other one must beat: means and last features, whatever their order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.fusion.fusion_module import Fusion
from liquid_mono3d_ros.fusion.streams import Events


class StaticFusion(Fusion):
    """Adapters → mean and last of each stream so far, concatenated → linear → MLP.

    It hears of no time.
    """

    summaries = 4

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__(embedding, units)
        self.out = nn.Sequential(  # type: ignore[assignment]
            nn.Linear(self.summaries * units, units),
            nn.SiLU(),
            nn.Linear(units, units),
            nn.SiLU(),
            nn.Linear(units, embedding),
        )

    def states(self, x: Tensor, events: Events) -> Tensor:
        """Return the adapted events as they are, (B, E, H)."""
        return x[..., : self.units]

    def summarise(self, h: Tensor, events: Events) -> Tensor:
        """Return mean and last of the states and of the video so far, (B, E, 4 H)."""
        found = []
        number = torch.arange(h.shape[1], device=h.device).expand_as(events.seen)
        for mine in (events.seen & ~events.is_video, events.seen & events.is_video):
            there = mine[..., None]
            total = (h * there).cumsum(dim=1)
            last = torch.where(mine, number, -1).cummax(dim=1).values[..., None]
            held = h.gather(1, last.clamp_min(0).expand_as(h))
            found += [total / there.cumsum(dim=1).clamp_min(1), held * (last >= 0)]
        return torch.cat(found, dim=2)
