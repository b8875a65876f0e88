"""Recurrent fusions of two streams: a liquid cell stepped with the real dt, and its twins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.fusion.fusion_module import CLOCK, Fusion
from liquid_mono3d_ros.fusion.streams import Events
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

HEADS = 2
"""Of the transformer's attention; its width is a multiple of this."""
RATES = 4
"""Waves by which the transformer is told the time since the start."""


class LiquidDualModalFusion(Fusion):
    """With ``AdaptiveTauCell``, whose time step is the time since the event before arrived."""

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__(embedding, units)
        self.layer = Liquid(units + CLOCK, units, cell="adaptive")

    def states(self, x: Tensor, events: Events) -> Tensor:
        """Return the states (B, E, H); after the last event the state stays."""
        found: Tensor = self.layer(x, timespans=events.dt, mask=events.seen)[0]
        return found


class GRUFusion(Fusion):
    """With a GRU, which hears dt and age like the others."""

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__(embedding, units)
        self.layer = nn.GRU(units + CLOCK, units, batch_first=True)

    def states(self, x: Tensor, events: Events) -> Tensor:
        """Return the states (B, E, H)."""
        found: Tensor = self.layer(x)[0]
        return found


class TransformerFusion(Fusion):
    """With two layers of causal attention, which hears dt, age and the time since the start."""

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__(embedding, units)
        self.time = nn.Linear(CLOCK + 2 * RATES, units)
        layer = nn.TransformerEncoderLayer(
            units, HEADS, 2 * units, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def states(self, x: Tensor, events: Events) -> Tensor:
        """Return the states (B, E, H); events that are not there come last: nobody sees them."""
        since = events.dt.cumsum(dim=1)[..., None]
        rates = 2.0 ** torch.arange(RATES, device=x.device)
        told = [x[..., self.units :], torch.sin(since * rates), torch.cos(since * rates)]
        x = x[..., : self.units] + self.time(torch.cat(told, dim=2))
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        found: Tensor = self.layer(x, mask=later, is_causal=True)
        return found
