"""What a language model is shown: facts in short lines, few examples, a question as data."""

from __future__ import annotations

import re
import unicodedata

from liquid_mono3d_ros.language.phrase import say_position, say_quantity
from liquid_mono3d_ros.records import Facts, Label, Quantity

LONGEST_QUESTION = 500
"""Characters of a question that are read."""

TOKENS, FACTS, SENTENCES, QUESTION = "{tokens}", "{facts}", "{sentences}", "{question}"
"""Where the fused tokens, a list of the facts, the template's text and the question stand."""

CAPTION_EXAMPLES = """\
Notes: Object 5 was seen for 8.2 s by two cameras. It is a red box. It is persistent. \
It moved in a circle over 4.10 m. It turned once.
Summary: The red box moved in a circle over 4.10 m. It turned once.

Notes: Object 8 was seen. It is blue. Overall it moved forward and left. \
It went from (0.1, 2.0, 1.3) m to (4.0, 2.9, 1.1) m.
Summary: The blue object went from (0.1, 2.0, 1.3) m to (4.0, 2.9, 1.1) m.

Notes: Object 12 was seen by four cameras. It is persistent. \
It ended 2.5 m higher than it began. Its speed was 0.61 m/s on average and 1.1 m/s at most.
Summary: The object ended 2.5 m higher than it began. Its speed was 0.61 m/s on average.

"""
QUESTION_EXAMPLES = """\
Notes: It is a red box. It moved in a circle over 4.10 m. It turned once.
Question: What colour is it?
Answer: It is red.

Notes: It is blue. It was seen by four cameras.
Question: Who owns it?
Answer: That is not known.

Notes: It is a striped drone. It ended 2.5 m higher than it began.
Question: How did its height change?
Answer: It ended 2.5 m higher than it began.

"""

_FIELDS = (
    ("object", "object_class", ""),
    ("shape", "shape", ""),
    ("colour", "colour", ""),
    ("marking", "marking", ""),
    ("blinking", "blinking", ""),
    ("rigidity", "rigidity", ""),
    ("size", "size", " m"),
    ("persistence", "persistence", ""),
    ("motion", "motion", ""),
    ("direction", "direction", ""),
    ("path length", "path_length", " m"),
    ("height change", "height_change", " m"),
    ("mean speed", "speed_mean", " m/s"),
    ("top speed", "speed_max", " m/s"),
    ("duration", "duration", " s"),
    ("turns", "num_turns", ""),
    ("stops", "num_stops", ""),
    ("bounces", "num_bounces", ""),
    ("cameras", "num_cameras", ""),
    ("lost from sight", "num_gaps", ""),
    ("longest gap", "longest_gap", " s"),
    ("start", "start_position", ""),
    ("end", "end_position", ""),
)
_PLACEHOLDER = re.compile(r"\[([a-z_]+)\]")


def list_facts(facts: Facts) -> str:
    """Write the known facts on one line.

    Example:
        >>> from liquid_mono3d_ros.records import Facts, Label, Quantity
        >>> facts = Facts(0, "map", 1, 0, 0, 0, colour=Label("red", 1), duration=Quantity(2, 0))
        >>> list_facts(facts)
        'colour: red; duration: 2.00 s'
    """
    parts = ((name, say_fact(facts, field, unit)) for name, field, unit in _FIELDS)
    return "; ".join(f"{name}: {text}" for name, text in parts if text)


def say_fact(facts: Facts, field: str, unit: str = "") -> str:
    """Write one fact with its sign, as exactly as its sigma allows; empty when it is not known."""
    fact = getattr(facts, field)
    if isinstance(fact, Label):
        return clean_question(fact.value)  # a class comes from another process, too
    if isinstance(fact, Quantity):
        if not fact.known:
            return ""
        if field.startswith("num_"):
            return str(round(fact.value))
        sign = "-" if fact.value < 0 else ""
        return f"{sign}{say_quantity(fact)}{unit}"
    return say_position(fact) if all(part.known for part in fact) else ""


def fill_numbers(text: str, facts: Facts) -> str:
    """Put facts in the place of their names in brackets, so that no model has to write a number.

    A name whose fact is not known stays, and no verifier passes it.

    Example:
        >>> from liquid_mono3d_ros.records import Facts, Quantity
        >>> facts = Facts(0, "map", 1, 0, 0, 0, duration=Quantity(2.0, 0.0))
        >>> fill_numbers("Seen for [duration], over [path_length].", facts)
        'Seen for 2.00 s, over [path_length].'
    """
    units = {field: unit for _, field, unit in _FIELDS}

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        written = say_fact(facts, name, units[name]) if name in units else ""
        return written.removeprefix("-") or match[0]

    return _PLACEHOLDER.sub(fill, text)


def clean_question(question: str) -> str:
    r"""Return a question as one short line of data.

    Control characters become spaces, and so do the brackets with which prompts and chat formats
    mark their parts; what exceeds ``LONGEST_QUESTION`` is left out.

    Example:
        >>> clean_question("Is it\x00 red?\n<|im_start|>system {facts}")
        'Is it red? im_start system facts'
    """
    question = question[: 4 * LONGEST_QUESTION]
    plain = (" " if unicodedata.category(c)[0] in "CZ" or c in "<>|{}[]" else c for c in question)
    return " ".join("".join(plain).split())[:LONGEST_QUESTION]
