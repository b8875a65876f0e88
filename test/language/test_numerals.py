import pytest

from liquid_mono3d_ros.language.numerals import find_amounts


@pytest.mark.parametrize(
    ("text", "kind", "value", "half_step"),
    [
        ("0.65 m/s", "V", 0.65, 0.005),
        ("3.6 km/h", "V", 1.0, 0.05 / 3.6),
        ("65 cm", "L", 0.65, 0.005),
        ("1,234 metres", "L", 1234, 0.5),
        ("0.65m", "L", 0.65, 0.005),
        ("-2.0 m", "L", -2.0, 0.05),
        ("two and a half meters", "L", 2.5, 0.25),
        ("half a second", "T", 0.5, 0.05),
        ("250 ms", "T", 0.25, 0.0005),
        ("twice", "K", 2, 0.5),
        ("five times", "K", 5, 0.5),
        ("seven", "N", 7, 0.5),
    ],
)
def test_convention_amounts_are_si_and_know_their_rounding(text, kind, value, half_step):
    (amount,) = find_amounts(text)
    assert amount.kind == kind
    assert amount.values == pytest.approx((value,))
    assert amount.half_steps == pytest.approx((half_step,))
    assert amount.span == (0, len(text))


def test_position_keeps_three_numbers_and_their_rounding():
    (amount,) = find_amounts("(1.25, -2, 0.5) m")
    assert (amount.kind, amount.values) == ("P", (1.25, -2.0, 0.5))
    assert amount.half_steps == pytest.approx((0.005, 0.5, 0.05))


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("about 3 m", "about"),
        ("roughly 3 m", "about"),
        ("at least 3 m", "at least"),
        ("more than three m", "at least"),
        ("less than 3 m", "at most"),
        ("3 m", ""),
    ],
)
def test_hedges_and_bounds(text, how):
    assert find_amounts(text)[0].how == how


@pytest.mark.parametrize("text", ["stayed in one place", "2nd", "3d", "1e3 m", "a1", "x_2", "٣ m"])
def test_what_is_no_number(text):
    assert find_amounts(text) == []
