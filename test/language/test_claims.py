import pytest

from liquid_mono3d_ros.language.claims import LONGEST, read_sentences, split_sentences


def claims(text, **arguments):
    return [claim for one in read_sentences(text, **arguments) for claim in one.claims]


def said(text):
    return [(c.attribute, c.value or (*c.numbers,), c.sense) for c in claims(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is red.", [("colour", "red", True)]),
        ("It isn't gray or blue.", [("colour", "grey", False), ("colour", "blue", False)]),
        ("It is not red, but blue.", [("colour", "red", False), ("colour", "blue", True)]),
        ("It has no stripes.", [("marking", "striped", False)]),
        ("A striped cube.", [("marking", "striped", True), ("shape", "box", True)]),
        ("It is a bird.", [("object_class", "bird", True)]),
        ("It is a big bird.", [("size_word", "large", True), ("object_class", "bird", True)]),
        ("The bird sang.", [("other", "bird sang", True)]),
        ("It blinks.", [("blinking", "yes", True)]),
        ("It flashed at its highest point.", [("flash", "at the apex", True)]),
        ("It never stopped.", [("num_stops", (0.0,), True)]),
        ("It did not turn.", [("num_turns", (0.0,), True)]),
        ("It turned.", [("num_turns", (1.0,), True)]),
        ("It made 3 turns.", [("num_turns", (3.0,), True)]),
        ("Seen by two cameras.", [("seen", "yes", True), ("num_cameras", (2.0,), True)]),
        ("Lost from sight twice.", [("num_gaps", (2.0,), True)]),
        ("Hidden once, for 0.7 s.", [("num_gaps", (1.0,), True), ("longest_gap", (0.7,), True)]),
        ("It rose 80 cm.", [("height_change", (0.8,), True)]),
        ("It ended 0.8 m lower than it began.", [("height_change", (-0.8,), True)]),
        ("It began 0.8 m lower.", [("height_change", (0.8,), True)]),
        ("It climbed.", [("height", "up", True)]),
        ("0.2 m across.", [("size", (0.2,), True)]),
        ("1.5 times as long as wide.", [("elongation", (1.5,), True)]),
        ("Average speed: 2 m/s.", [("speed_mean", (2.0,), True)]),
        ("It reached 2 m/s.", [("speed_max", (2.0,), True)]),
        ("Its speed was 2 m/s.", [("speed", (2.0,), True)]),
        ("It moved 2 m to the left.", [("moving", "yes", True), ("displacement", "y", True)]),
        ("It was tracked for 4 s.", [("seen", "yes", True), ("duration", (4.0,), True)]),
        ("From (0, 0, 1) m to (2, 1, 1) m.", [
            ("start_position", (0.0, 0.0, 1.0), True), ("end_position", (2.0, 1.0, 1.0), True)]),
        ("It is expected at (2, 1, 1) m 0.5 s later.", [
            ("predicted_position", (2.0, 1.0, 1.0), True), ("predicted_after", (0.5,), True)]),
        ("It will stop.", [("prediction", (1.0,), True)]),
        ("It turned left.", [("other", "side of a turn", True)]),
        ("It moved from left to right.", [("moving", "yes", True), ("direction", "right", True)]),
        ("It stopped because of wind.", [
            ("num_stops", (1.0,), True), ("cause", (), True), ("other", "wind", True)]),
        ("It moved faster.", [("moving", "yes", True), ("comparison", (), True)]),
        ("It turned and then stopped.", [
            ("num_turns", (1.0,), True), ("order", (), True), ("num_stops", (1.0,), True)]),
        ("It is dark red.", [("other", "shade", True)]),
        ("The colour is unknown.", [("unknown", "colour", True)]),
        ("That is not known.", [("unknown", (), True)]),
        ("It is.", []),
    ],
)  # fmt: skip
def test_what_a_sentence_claims(text, expected):
    assert said(text) == expected


def test_motion_words():
    for text, word in (
        ("It moved in a straight line.", "line"),
        ("A circular path.", "circle"),
        ("It spiralled.", "helix"),
        ("It flew along a parabola.", "parabola"),
        ("It moved by stops and starts.", "stop-and-go"),
        ("It stayed in one place.", "hover"),
    ):
        assert ("motion", word, True) in said(text)


def test_a_hedge_is_kept_and_changes_nothing():
    (claim,) = claims("It is probably red.")
    assert (claim.attribute, claim.hedged) == ("colour", True)


def test_every_word_is_a_claim_or_claims_nothing():
    for word in ("ferociously", "Bob", "日本", "１２", "7", "not", "🙂"):
        assert claims(f"It is red {word}.")[1].attribute in ("other", "object_class"), word


def test_spans_are_those_of_the_text():
    text = "It fell 2 m.  It was seen for 4.00 s by a DRONE, twice."
    found = {c.attribute: text[slice(*c.span)] for c in claims(text)}
    assert found["height_change"] == "fell 2 m"
    assert found["duration"] == "for 4.00 s"
    assert found["object_class"] == "DRONE"


def test_names_beyond_the_lexicon():
    (claim,) = claims("A traffic light.", names={"traffic light": "object_class"})
    assert (claim.attribute, claim.value) == ("object_class", "traffic light")


def test_sentences_end_before_a_space():
    text = "It is 0.5 m long! It fell.\nIs it red?"
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "It is 0.5 m long!",
        "It fell.",
        "Is it red?",
    ]


def test_a_text_too_long_is_not_understood_where_it_is_not_read():
    last = read_sentences("It is red. " * LONGEST)[-1]
    assert last.claims[0].attribute == "other"
