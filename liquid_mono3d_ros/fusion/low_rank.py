"""Low-rank additions to the linear layers of a language model; its own weights stay as they are.

Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain

LAYERS = ("q_proj", "v_proj")
"""Of LLaMA's attention."""


class LowRank(nn.Module):
    """A linear layer, kept as it is, plus B A x; B is zero at first.

    Args:
        layer: Its weights are never moved.
        rank: Of the addition.
    """

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        down = torch.randn(rank, layer.in_features) / layer.in_features**0.5
        device = layer.weight.device
        self.A = nn.Parameter(down.to(device))
        self.B = nn.Parameter(torch.zeros(layer.out_features, rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output and the addition."""
        added = (x @ self.A.T.to(x.dtype)) @ self.B.T.to(x.dtype)
        found: Tensor = self.layer(x) + added
        return found


def add_low_rank(
    model: nn.Module, rank: int, names: Sequence[str] = LAYERS
) -> dict[str, nn.Parameter]:
    """Put low-rank additions into a model, in place; return what is to be trained, by name.

    Args:
        model: Any whose layers have these names.
        rank: Of each addition.
        names: Of the linear layers, the last part.
    """
    found: dict[str, nn.Parameter] = {}
    for path, module in list(model.named_modules()):
        for name in names:
            layer = getattr(module, name, None)
            if isinstance(layer, nn.Linear):
                added = LowRank(layer, rank)
                setattr(module, name, added)
                found |= {f"{path}.{name}.A": added.A, f"{path}.{name}.B": added.B}
    if not found:
        rule, cure = f"a model with layers {', '.join(names)}", "Name its linear layers."
        raise ValueError(complain("model", rule, type(model).__name__, cure))
    return found
