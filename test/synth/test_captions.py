"""Words about scenes: true, in other ways for test than for training."""

import re

import numpy as np
import pytest

from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.captions import caption, labels_of, questions
from liquid_mono3d_ros.synth.paraphrases import OPEN, POLL, STATEMENTS, UNANSWERABLE, statements

NOUN = {"size", "colour", "marking", "shape"}


def some_labels(seed):
    rng = np.random.default_rng(seed)
    return {
        name: str(rng.choice(attribute.values))
        for name, attribute in ATTRIBUTES.items()
        if rng.random() < 0.7
    }


def sentences(text):
    return re.findall(r"[^.?]+[.?]", text)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_sentence_is_a_true_one(split):
    for seed in range(60):
        labels = some_labels(seed)
        true = {s for name, value in labels.items() for s in statements(name, value, split)}
        text = caption(labels, seed, split)
        said = [sentence.strip() for sentence in sentences(text)]
        free = [sentence for sentence in said if sentence not in true]
        assert len(free) <= 1
        for sentence in free:  # the opening
            words = set(re.findall(r"[a-z]+", sentence.lower()))
            known = {v for name in NOUN for v in ATTRIBUTES[name].values} & words
            assert known == {labels[name] for name in NOUN if name in labels}
        told = len(said) if not free else len(said) - 1 + len(NOUN & set(labels))
        assert told == len(labels)


def test_splits_share_no_sentence():
    for table in (*STATEMENTS.values(), *OPEN.values(), *POLL.values(), UNANSWERABLE):
        assert table["train"]
        assert table["test"]
        assert not set(table["train"]) & set(table["test"])
    for name, attribute in ATTRIBUTES.items():
        ways = [
            {w for value in attribute.values for w in statements(name, value, split)}
            for split in ("train", "test")
        ]
        assert not ways[0] & ways[1], name


def test_a_statement_belongs_to_one_value():
    """What is said of one value is never said of another, or of another attribute."""
    owner = {}
    for name, attribute in ATTRIBUTES.items():
        for value in attribute.values:
            for split in ("train", "test"):
                for sentence in statements(name, value, split):
                    assert owner.setdefault(sentence, (name, value)) == (name, value), sentence


def test_captions_differ_by_seed_and_not_otherwise():
    labels = some_labels(3)
    assert caption(labels, 1) == caption(labels, 1)
    assert len({caption(labels, seed) for seed in range(20)}) > 10
    assert caption({}, 0) == ""


@pytest.mark.parametrize("split", ["train", "test"])
def test_questions_have_true_answers(split):
    labels = some_labels(5)
    asked = questions(labels, split, seed=1)
    for question in asked:
        assert question.text.endswith("?")
        if question.kind == "unanswerable":
            assert (question.answer, question.answerable) == ("unknown", False)
            assert question.text in UNANSWERABLE[split]
        elif question.kind == "open":
            assert question.answer == labels[question.attribute]
    poll = [q for q in asked if q.kind == "poll"]
    mirrored = [q for q in asked if q.kind == "mirrored"]
    assert len(poll) == len(mirrored) == 2 * len(labels)
    for straight, mirror in zip(poll, mirrored, strict=True):
        assert {straight.answer, mirror.answer} == {"yes", "no"}
        value = labels[straight.attribute]
        said = [s.rstrip(".")[1:] for s in statements(straight.attribute, value, split)]
        assert (straight.answer == "yes") == any(s in straight.text for s in said)
    assert sum(q.answer == "yes" for q in poll) == len(labels)
    assert sum(not q.answerable for q in asked) >= 2


def test_labels_of_a_scene():
    label = {name: np.full((2, 2), -1) for name in ATTRIBUTES}
    label["colour"][1] = [0, 3]
    label["nearer_colour"][1, 0] = 3
    assert labels_of(label, 0, 0) == {}
    assert labels_of(label, 1, 1) == {"colour": "green", "nearer_colour": "green"}


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"attribute must be one of shape, .*; got 'smell'"):
        caption({"smell": "sweet"}, 0)
    with pytest.raises(ValueError, match=r"colour must be one of red, .*; got 'pink'"):
        caption({"colour": "pink"}, 0)
    with pytest.raises(ValueError, match="split must be train or test; got 'dev'"):
        caption({}, 0, "dev")
