"""Random facts of every kind, and texts about them that are wrong in one place."""

import re

from liquid_mono3d_ros.records import Facts, Label, Quantity

COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "white", "black"]
SHAPES = ["ball", "box", "triangle", "cross", "ring", "star"]
CLASSES = [
    "person", "car", "bird", "sports ball", "stop sign", "traffic light", "orange", "teddy bear",
    "drone", "parking meter", "dog", "kite", "truck", "cell phone",
]  # fmt: skip
MARKINGS = ["plain", "striped", "dotted"]
MOTIONS = ["line", "circle", "helix", "parabola", "turn", "stop-and-go", "bounce", "hover"]
DIRECTIONS = [
    "forward", "backward", "left", "right", "up", "down", "forward and left",
    "backward and right, up", "forward and right, down", "backward and left", "right, up",
]  # fmt: skip


def draw_facts(rng, share=0.7):
    """Facts of which each is known with a probability; amounts stand clear of their sigma."""

    def known():
        return rng.random() < share

    def label(words):
        return Label(str(rng.choice(words)), 0.95) if known() else Label()

    def amount(low, high, *, signed=False):
        if not known():
            return Quantity()
        value = float(rng.uniform(low, high)) * (rng.choice([-1, 1]) if signed else 1)
        return Quantity(float(value), float(abs(value) * rng.uniform(0.0005, 0.3)))

    def count(most):
        return Quantity(float(rng.integers(0, most)), float(rng.choice([0.0, 0.3])))

    def position():
        if not known():
            return (Quantity(),) * 3
        return tuple(
            Quantity(float(rng.uniform(-9, 9)), float(rng.uniform(0.001, 0.9))) for _ in range(3)
        )

    mean = amount(0.05, 20)
    gaps = Quantity(float(rng.integers(0, 5)), 0.0) if known() else Quantity()
    predicted = position()
    return Facts(
        stamp=9,
        frame_id="map",
        track_id=int(rng.choice([3, 41, 2**63 + 5])),
        epoch=0,
        start=1,
        end=9,
        object_class=label(CLASSES),
        shape=label(SHAPES),
        colour=label(COLOURS),
        marking=label(MARKINGS),
        blinking=label(["yes", "no"]),
        rigidity=label(["rigid", "articulated"]),
        size=amount(0.02, 2),
        elongation=Quantity(float(rng.uniform(1.3, 4)), 0.1) if known() else Quantity(),
        persistence=label(["persistent", "transient"]),
        motion=label(MOTIONS),
        direction=label(DIRECTIONS),
        start_position=position(),
        end_position=position(),
        duration=Quantity(float(rng.uniform(0.1, 400)), 0.0) if known() else Quantity(),
        path_length=amount(0.1, 900),
        speed_mean=mean,
        speed_max=Quantity(mean.value * 2.5, mean.sigma) if mean.known and known() else Quantity(),
        height_change=amount(0.02, 30, signed=True),
        num_turns=count(12) if known() else Quantity(),
        num_stops=count(4) if known() else Quantity(),
        num_bounces=count(4) if known() else Quantity(),
        predicted_position=predicted,
        predicted_after=Quantity(float(rng.uniform(0.1, 2)), 0.0),
        num_cameras=Quantity(float(rng.integers(1, 12)), 0.0) if known() else Quantity(),
        num_gaps=gaps,
        longest_gap=Quantity(float(rng.uniform(0.3, 9)), 0.0)
        if gaps.known and gaps.value and known()
        else Quantity(),
    )


NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
COUNT_WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
GROUPS = {
    "colour": COLOURS,
    "shape": SHAPES,
    "class": [word for word in CLASSES if word != "orange"],
    "marking": ["striped", "dotted", "plain"],
    "persistence": ["persistent", "transient"],
    "rigidity": ["rigid", "articulated"],
    "motion": [
        "in a straight line", "in a circle", "along a helix", "along a parabola", "along a curve",
        "by stops and starts", "in bounces",
    ],
    "direction": ["forward", "backward", "left", "right"],
    "vertical": ["up", "down"],
    "height": ["higher", "lower"],
    "speed": ["on average", "at most"],
    "count": ["once", "twice", *[f"{word} times" for word in COUNT_WORDS[2:]]],
    "cameras": [f"{word} cameras" for word in COUNT_WORDS[1:]],
    "verb": ["turned", "stopped", "bounced"],
    "blinking": ["It blinked", "It did not blink"],
}  # fmt: skip
"""Words that may stand in one another's place and make the text wrong."""
UNITS = [
    (" m/s", " km/h"),
    (" m ", " cm "),
    (" s ", " minutes "),
    (" m.", " km."),
    (" s.", " ms."),
]
INSERTIONS = ["angry", "a lizard", "because it was pushed", "then", "purple-grey", "7", "faster"]


def spoil(text, rng):
    """Return (kind of change, text that is wrong in one place); None if nothing changed."""
    kind = str(rng.choice(["number", "word", "word", "unit", "negation", "insertion"]))
    change = {"number": _number, "word": _word, "unit": _unit, "negation": _negation}
    done = change.get(kind, _insertion)(text, rng)
    if done is None or done[1] == text:
        return None
    return f"{kind}: {done[0]}" if done[0] else kind, done[1]


def _replace(text, match, new):
    return text[: match.start()] + new + text[match.end() :]


def _number(text, rng):
    found = list(NUMBER.finditer(text))
    match = found[rng.integers(len(found))]
    old = match[0]
    decimals = len(old.partition(".")[2])
    step = 10.0**-decimals
    by = max(0.5 * abs(float(old)), 12 * step) * rng.uniform(1, 3) * rng.choice([-1, 1])
    new = f"{float(old) + by:.{decimals}f}"
    if (
        not text[: match.start()].endswith("(")
        and ", " not in text[match.start() - 2 : match.end()]
    ):
        new = new.lstrip("-")
    same = abs(abs(float(new)) - abs(float(old))) < max(0.4 * abs(float(old)), 10 * step)
    return None if same else ("", _replace(text, match, new))


def _word(text, rng):
    name = str(rng.choice(list(GROUPS)))
    words = GROUPS[name]
    found = [
        match
        for word in words
        for match in re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    ]
    if not found:
        return None
    match = found[rng.integers(len(found))]
    others = [word for word in words if word not in text]  # else the text may still be true
    if not others:
        return None
    return name, _replace(text, match, str(rng.choice(others)))


def _unit(text, rng):
    units = [(a, b) for a, b in UNITS if a in text]
    if not units:
        return None
    a, b = units[rng.integers(len(units))]
    places = list(re.finditer(re.escape(a), text))
    return "", _replace(text, places[rng.integers(len(places))], b)


def _negation(text, rng):
    places = list(re.finditer(r"\b(It is|was seen|Its speed was|It was lost)\b", text))
    if not places:
        return None
    match = places[rng.integers(len(places))]
    new = match[0].replace("was", "was not") if "was" in match[0] else "It is not"
    return "", _replace(text, match, new)


def _insertion(text, rng):
    spaces = list(re.finditer(r" ", text))
    word = str(rng.choice(INSERTIONS))
    return word, _replace(text, spaces[rng.integers(len(spaces))], f" {word} ")
