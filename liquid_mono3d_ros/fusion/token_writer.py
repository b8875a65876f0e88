"""What was seen of tracks → free tokens for a language model; kept in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.low_rank import add_low_rank
from liquid_mono3d_ros.fusion.reader import FusedReader, Moments
from liquid_mono3d_ros.fusion.slots import Slot
from liquid_mono3d_ros.fusion.tokens import FreeTokens
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights


class TokenWriter(nn.Module):
    """A reader of its own, whose embedding becomes free tokens.

    Args:
        reader: Its embedding is moved by the training of the tokens, so it is another than the one
            whose slots are read.
        free: Of the language model's size.
    """

    def __init__(self, reader: FusedReader, free: FreeTokens) -> None:
        super().__init__()
        self.reader, self.free = reader, free

    def forward(self, moments: Moments) -> Tensor:
        """Return the tokens of tracks, (B, k, D_lm)."""
        found: Tensor = self.free(self.reader(moments))
        return found


def save_tokens(
    path: str | Path,
    writer: TokenWriter,
    added: Mapping[str, Tensor],
    card: Mapping[str, Any],
) -> None:
    """Write a token writer, in float16, and the additions to its language model, if any."""
    free = writer.free
    parts = {f"writer.{name}": one for name, one in writer.state_dict().items()}
    parts |= {f"added.{name}": one for name, one in added.items()}
    arrays = {k: v.detach().cpu().float().numpy().astype(np.float16) for k, v in parts.items()}
    design = {"reader": writer.reader.design(), "model": free.model, "count": free.count}
    write_weights(path, arrays, {"tokens": json.dumps(design), "card": json.dumps(card)})


def load_tokens(path: str | Path) -> tuple[TokenWriter, dict[str, Tensor]]:
    """Return the writer of a file, ready to run, and the additions to its language model."""
    arrays, notes = read_weights(path)
    if "tokens" not in notes:
        rule, cure = "a file of `liquid-mono3d train tokens`", "Train one, or fetch the packaged."
        raise ValueError(complain("path", rule, str(path), cure))
    design = json.loads(notes["tokens"])
    given = design["reader"]
    slots = {name: Slot(tuple(s["values"]), s["pair"]) for name, s in given.pop("slots").items()}
    reader = FusedReader(**given, slots=slots)
    free = FreeTokens(reader.fusion.embedding, design["model"], design["count"])
    writer = TokenWriter(reader, free)
    tensors = {name: torch.from_numpy(one.astype(np.float32)) for name, one in arrays.items()}
    writer.load_state_dict(_under("writer.", tensors))
    return writer.eval().requires_grad_(False), _under("added.", tensors)


def install(model: nn.Module, added: Mapping[str, Tensor]) -> None:
    """Put low-rank additions from a file into a language model, in place; none changes nothing."""
    if not added:
        return
    rank = next(len(one) for name, one in added.items() if name.endswith(".A"))
    places = add_low_rank(model, rank)
    if places.keys() != added.keys():
        rule, got = f"for the {len(places)} places of this model", f"{len(added)}"
        raise ValueError(complain("added", rule, got, "Take the model they were trained with."))
    with torch.no_grad():
        for name, place in places.items():
            place.copy_(added[name])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
