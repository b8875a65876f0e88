"""Ways to say each attribute, other ones for test than for training.

``{v}`` stands for the value in the form that ``spoken`` gives it; the value's own word is always
in it, so that what a sentence claims can be read back. Statements of what is or is not there
(blinking, a companion, a bar) have sentences of their own for each value.
"""

from __future__ import annotations

import re

from liquid_mono3d_ros.synth.attributes import MOTIONS

Phrases = dict[str, tuple[str, ...]]

_ADVERBS = dict(
    zip(
        MOTIONS,
        (
            "in a straight line",
            "in a circle",
            "along a helix",
            "along a parabola",
            "in a turn",
            "in a stop-and-go manner",
            "in a bounce",
            "in a hover",
        ),
        strict=True,
    )
)
_SPOKEN = {
    "motion": _ADVERBS,
    "height": {"rises": "rises", "falls": "falls", "level": "stays level"},
    "flash": {"at the apex": "at the apex", "elsewhere": "elsewhere than at the apex"},
}

STATEMENTS: dict[str, Phrases] = {
    "shape": {
        "train": ("It is a {v}.", "Its shape is that of a {v}.", "It has the shape of a {v}."),
        "test": ("It looks like a {v}.", "In outline it is a {v}."),
    },
    "colour": {
        "train": ("It is {v}.", "Its colour is {v}.", "It is {v} in colour."),
        "test": ("It has a {v} colour.", "Its surface is {v}."),
    },
    "marking": {
        "train": ("It is {v}.", "Its surface is {v}.", "Its marking is {v}."),
        "test": ("It looks {v}.", "It has a {v} surface."),
    },
    "stripe_direction": {
        "train": ("Its stripes are {v}.", "It has {v} stripes."),
        "test": ("The stripes on it are {v}.", "It carries {v} stripes."),
    },
    "motion": {
        "train": ("It moves {v}.", "It goes {v}.", "Its path runs {v}."),
        "test": ("It travels {v}.", "It makes its way {v}."),
    },
    "speed": {
        "train": ("Its speed is {v}.", "It has a {v} pace.", "It moves at a {v} speed."),
        "test": ("Its pace is {v}.", "As to speed, it is {v}."),
    },
    "direction": {
        "train": ("Overall it moves {v}.", "From start to end it goes {v}."),
        "test": ("On the whole it travels {v}.", "Seen as a whole, its way leads {v}."),
    },
    "height": {
        "train": ("It {v}.", "Overall it {v}."),
        "test": ("As for height, it {v}.", "From start to end it {v}."),
    },
    "size": {
        "train": ("It is {v} in size.", "Its size is {v}."),
        "test": ("It is of {v} size.", "As for size, it is {v}."),
    },
    "flash": {
        "train": ("It flashes {v}.", "It flashed {v}."),
        "test": ("Its flash comes {v}.", "There is a flash {v}."),
    },
    "nearer_colour": {
        "train": ("The nearer of the two is {v}.", "The {v} one is nearer."),
        "test": ("Of the two, the {v} one is closer.", "The closer one is {v}."),
    },
    "faster_colour": {
        "train": ("The faster of the two is {v}.", "The {v} one is faster."),
        "test": ("Of the two, the {v} one is quicker.", "The quicker one is {v}."),
    },
    "rising_colour": {
        "train": ("The one of the two that rises is {v}.", "The {v} one rises."),
        "test": ("Of the two, the {v} one goes up.", "The one that goes up is {v}."),
    },
    "blinking: yes": {
        "train": ("It blinks.", "It is blinking."),
        "test": ("It keeps blinking.", "It blinks all the time."),
    },
    "blinking: no": {
        "train": ("It does not blink.", "It is not blinking."),
        "test": ("It shows no blinking.", "There is no blinking."),
    },
    "companion: present": {
        "train": ("There is another object beside it.", "It is not alone: another is beside it."),
        "test": ("A second object is next to it.", "It has a companion."),
    },
    "companion: absent": {
        "train": ("There is no other object beside it.", "It is alone."),
        "test": ("No second object is next to it.", "It has no companion."),
    },
    "passes_behind: yes": {
        "train": ("It passes behind a bar.", "It goes behind a bar."),
        "test": ("A bar hides part of it for a while.", "Its way leads behind a bar."),
    },
    "passes_behind: no": {
        "train": ("It passes in front of a bar.", "It goes in front of a bar."),
        "test": ("No bar hides any of it.", "Its way leads in front of a bar."),
    },
}
"""Sentences by attribute, or by attribute and value, and by split."""

OPEN: dict[str, Phrases] = {
    "shape": {
        "train": ("What shape is it?", "What is its shape?"),
        "test": ("Which shape does it have?",),
    },
    "colour": {
        "train": ("What colour is it?", "What is its colour?"),
        "test": ("Which colour does it have?",),
    },
    "marking": {
        "train": ("Is it plain, striped or dotted?", "What is its marking?"),
        "test": ("How is its surface marked?",),
    },
    "stripe_direction": {
        "train": ("Which way do its stripes run?", "How do its stripes lie?"),
        "test": ("What is the direction of the stripes?",),
    },
    "motion": {
        "train": ("How does it move?", "What kind of motion is it?"),
        "test": ("What does its path look like?",),
    },
    "speed": {
        "train": ("How fast is it?", "What is its speed?"),
        "test": ("Is it slow, medium or fast?",),
    },
    "direction": {
        "train": ("Where does it go?", "Which way does it move?"),
        "test": ("In which direction does it travel?",),
    },
    "height": {
        "train": ("Does it rise, fall or stay level?", "How does its height change?"),
        "test": ("What becomes of its height?",),
    },
    "size": {
        "train": ("How large is it?", "What is its size?"),
        "test": ("Is it small, medium or large?",),
    },
    "flash": {
        "train": ("Where does it flash?", "Where on its path is the flash?"),
        "test": ("At what point of its way does it flash?",),
    },
    "nearer_colour": {
        "train": ("What colour is the nearer one?", "Which of the two is nearer?"),
        "test": ("Which colour has the one that is closer?",),
    },
    "faster_colour": {
        "train": ("What colour is the faster one?", "Which of the two is faster?"),
        "test": ("Which colour has the one that is quicker?",),
    },
    "rising_colour": {
        "train": ("What colour is the one that rises?", "Which of the two rises?"),
        "test": ("Which colour has the one that goes up?",),
    },
}
"""Questions after the value, by attribute and split."""

POLL: dict[str, Phrases] = {
    "true": {
        "train": ("Is it true that {s}?", "Is it right to say that {s}?"),
        "test": ("Would you say that {s}?",),
    },
    "false": {
        "train": ("Is it false that {s}?", "Is it wrong to say that {s}?"),
        "test": ("Would it be wrong to say that {s}?",),
    },
}
"""Questions after yes or no, and their mirror images; ``{s}`` is a statement."""

UNANSWERABLE: Phrases = {
    "train": (
        "How old is it?",
        "Who owns it?",
        "What does it weigh?",
        "What sound does it make?",
        "Who made it?",
        "What does it cost?",
        "What is it made of?",
        "What is it called?",
    ),
    "test": (
        "In which year was it built?",
        "To whom does it belong?",
        "How heavy is it?",
        "How loud is it?",
        "Which company produced it?",
        "How warm is it?",
        "What does it smell of?",
        "Why is it here?",
    ),
}
"""Questions that no camera can answer."""


def spoken(attribute: str, value: str) -> str:
    """Return a value as it stands in a sentence."""
    return _SPOKEN.get(attribute, {}).get(value, value)


def statements(attribute: str, value: str, split: str) -> tuple[str, ...]:
    """Return every way to say that an attribute has a value."""
    if f"{attribute}: {value}" in STATEMENTS:
        return STATEMENTS[f"{attribute}: {value}"][split]
    said = spoken(attribute, value)
    return tuple(with_articles(form.format(v=said)) for form in STATEMENTS[attribute][split])


def with_articles(text: str) -> str:
    """Write "an" before a vowel.

    Example:
        >>> with_articles("A orange box has a upright stripe.")
        'An orange box has an upright stripe.'
    """
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
