"""How often a reader names the value of each attribute, and the controls that must not."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.reader import FusedReader
from liquid_mono3d_ros.train.fusion_data import Lessons, slots

BATCH = 200
"""Scenes read at a time."""
CONTROLS = ("", "shuffled", "zeroed")

Counts = dict[str, dict[str, int]]
"""Attribute → {"right": how many, "n": of how many}."""


@torch.no_grad()
def score(reader: FusedReader, lessons: Lessons, control: str = "") -> Counts:
    """Return how often each slot is read right, of the objects to which it applies.

    Args:
        reader: To measure.
        lessons: Scenes with labels.
        control: "shuffled" gives the reader the streams of another scene, "zeroed" its heads an
            embedding of zeros: what is still read is a matter of how often values occur.
    """
    if control not in CONTROLS:
        cure = "Choose one of them."
        raise ValueError(complain("control", f"one of {CONTROLS}", repr(control), cure))
    said: dict[str, list[Tensor]] = {name: [] for name in reader.heads.slots}
    device = str(next(reader.parameters()).device)
    order = torch.arange(len(lessons))
    if control == "shuffled":
        order = order.roll(len(order) // 2)
    for rows in order.split(BATCH):
        m = lessons.take(rows).to(device).moments
        pairs = reader(dataclasses.replace(m, video=m.video.float())).unflatten(0, (-1, 2))
        if control == "zeroed":
            pairs = torch.zeros_like(pairs)
        for name, logit in reader.heads.read(pairs).items():
            said[name].append(logit.argmax(dim=2).cpu())
    return {
        name: _count(torch.cat(found), lessons.label[name].cpu()) for name, found in said.items()
    }


def majority(lessons: Lessons) -> Counts:
    """Return how often the commonest value of each slot is right."""
    found = {}
    for name, slot in slots().items():
        true = lessons.label[name]
        true = true[true >= 0]
        counts = torch.bincount(true, minlength=len(slot.values))
        found[name] = {"right": int(counts.max()), "n": len(true)}
    return found


def mean_percent(counts: Counts) -> float:
    """Return the mean over attributes of the share that is right, percent."""
    shares = [one["right"] / one["n"] for one in counts.values() if one["n"]]
    return 100 * sum(shares) / max(len(shares), 1)


def _count(said: Tensor, label: Tensor) -> dict[str, int]:
    true = label[:, : said.shape[1]]
    applies = true >= 0
    return {"right": int((said == true)[applies].sum()), "n": int(applies.sum())}
