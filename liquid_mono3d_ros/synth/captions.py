"""Sentences that say what is true of an object of a scene, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.paraphrases import statements, with_articles
from liquid_mono3d_ros.synth.questions import Question, questions

__all__ = ["Question", "caption", "labels_of", "questions"]

_NOUN = ("size", "colour", "marking", "shape")
"""What the first sentence can say in one."""
_OPENINGS = {
    "train": ("There is a {noun}.", "A {noun} is in view.", "The object is a {noun}."),
    "test": ("One sees a {noun}.", "The camera shows a {noun}."),
}


def labels_of(label: Mapping[str, Array], scene: int, object_: int) -> dict[str, str]:
    """Return the words that are true of an object, those of its pair included.

    Args:
        label: Of ``Sights``.
        scene: Number of the scene.
        object_: 0 or 1.
    """
    words = {}
    for name, attribute in ATTRIBUTES.items():
        index = int(label[name][scene, 0 if attribute.pair else object_])
        if index >= 0:
            words[name] = attribute.values[index]
    return words


def caption(labels: Mapping[str, str], seed: int, split: str = "train") -> str:
    """Say everything that is known of an object, each in one of several ways.

    Args:
        labels: Attribute → word, as ``labels_of`` gives it; what is not in it is not spoken of.
        seed: Of the choice among paraphrases and of the order.
        split: "train" or "test": whose paraphrases.

    Raises:
        ValueError: If an attribute, a value or the split is unknown.
    """
    check_words(labels, split)
    rng = np.random.default_rng(seed)
    said = [name for name in _NOUN if name in labels]
    sentences = []
    if "shape" in labels and rng.random() < 0.75:
        noun = " ".join(labels[name] for name in said)
        opening = str(rng.choice(_OPENINGS[split])).format(noun=noun)
        sentences.append(with_articles(opening))
    else:
        said = []
    left = [name for name in ATTRIBUTES if name in labels and name not in said]
    order = rng.permutation(left).tolist()
    sentences += [str(rng.choice(statements(name, labels[name], split))) for name in order]
    return " ".join(sentences)


def check_words(labels: Mapping[str, str], split: str) -> None:
    """Check that every attribute and its value are known, and the split.

    Raises:
        ValueError: If one is not.
    """
    if split not in ("train", "test"):
        raise ValueError(complain("split", "train or test", repr(split), "Choose one of them."))
    for name, value in labels.items():
        if name not in ATTRIBUTES:
            rule = f"one of {', '.join(ATTRIBUTES)}"
            raise ValueError(complain("attribute", rule, repr(name), "Check the spelling."))
        if value not in ATTRIBUTES[name].values:
            rule = f"one of {', '.join(ATTRIBUTES[name].values)}"
            raise ValueError(complain(name, rule, repr(value), "Check the spelling."))
