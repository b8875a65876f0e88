"""Questions about an object with the answers that are true, and some that have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.paraphrases import OPEN, POLL, UNANSWERABLE, statements

Kind = Literal["open", "poll", "mirrored", "unanswerable"]


@dataclass(frozen=True)
class Question:
    """A question and what is true.

    Attributes:
        text: The question.
        attribute: It is about; empty for one that has no answer.
        answer: The value, "yes" or "no", or "unknown".
        answerable: Whether the streams can tell.
        kind: "open" asks for the value, "poll" whether it is one, "mirrored" whether it is not.
    """

    text: str
    attribute: str
    answer: str
    answerable: bool
    kind: Kind


def questions(labels: Mapping[str, str], split: str = "train", seed: int = 0) -> list[Question]:
    """Ask about each known attribute in every kind, and as often what cannot be known.

    The poll asks of each attribute after its true value and after a false one, and the mirrored
    questions ask the same two with the answers exchanged: yes and no are as frequent.

    Args:
        labels: Attribute → word, as ``captions.labels_of`` gives it.
        split: "train" or "test": whose wording.
        seed: Of the choice of wording and of false values.
    """
    rng = np.random.default_rng(seed)
    asked = []
    for name, value in labels.items():
        if name in OPEN:
            asked.append(Question(_one(OPEN[name][split], rng), name, value, True, "open"))
        others = [word for word in ATTRIBUTES[name].values if word != value]
        for word in (value, str(rng.choice(others))):
            asked += _poll(name, word, word == value, split, rng)
    strange = rng.permutation(UNANSWERABLE[split]).tolist()[: max(2, len(labels) // 3)]
    asked += [Question(text, "", "unknown", False, "unanswerable") for text in strange]
    return asked


def _poll(
    name: str, word: str, true: bool, split: str, rng: np.random.Generator
) -> list[Question]:
    statement = _one(statements(name, word, split), rng).rstrip(".")
    statement = statement[0].lower() + statement[1:]
    asked = []
    kinds: tuple[tuple[Kind, str, bool], ...] = (
        ("poll", "true", true),
        ("mirrored", "false", not true),
    )
    for kind, form, right in kinds:
        text = _one(POLL[form][split], rng).format(s=statement)
        asked.append(Question(text, name, "yes" if right else "no", True, kind))
    return asked


def _one(forms: tuple[str, ...], rng: np.random.Generator) -> str:
    return str(rng.choice(forms))
