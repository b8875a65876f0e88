import numpy as np
import pytest

from liquid_mono3d_ros.synth.births import KINDS, SHARES, draw_births


@pytest.fixture(scope="module")
def births():
    return draw_births(480, 5)


def longest(births, kind):
    """Last image with a measurement, from 1 on, of each track of a kind."""
    seen = births.flights.seen[births.kind == KINDS.index(kind)]
    return seen.shape[1] - seen[:, ::-1].argmax(axis=1)


def test_every_kind_has_its_share_and_no_order(births):
    np.testing.assert_array_equal(np.bincount(births.kind), np.array(SHARES) * len(births))
    assert births.lasting.mean() == 0.5
    halves = births.lasting[:240].mean(), births.lasting[240:].mean()
    assert max(halves) < 0.6  # not sorted by class


def test_every_track_begins_with_a_measurement(births):
    assert births.flights.seen[:, 0].all()
    assert ((births.cameras >= 2) == births.flights.seen).all()
    assert (births.cameras[~births.flights.seen] == 0).all()


def test_lifetimes_overlap(births):
    for kind in ("clutter", "glint", "reflection"):
        assert 5 <= longest(births, kind).max() <= 6
        assert longest(births, kind).min() == 1
    assert 4 <= longest(births, "visitor").max() <= 16
    assert longest(births, "visitor").min() <= 6
    assert longest(births, "flicker").max() > 6
    assert np.median(longest(births, "object")) >= 23


def test_a_glint_stays_and_a_reflection_moves(births):
    def moved(kind):
        rows = births.kind == KINDS.index(kind)
        return np.linalg.norm(births.flights.velocity[rows], axis=2).max(axis=1)

    assert moved("glint").max() == moved("flicker").max() == 0.0
    assert np.median(moved("reflection")) > 0.3


def test_no_first_measurement_tells_the_kinds_apart():
    """Neither noise nor cameras are a colour test."""
    births = draw_births(800, 6)
    for sign in (np.trace(births.flights.R[:, 0], axis1=1, axis2=2), births.cameras[:, 0]):
        ours, theirs = sign[births.lasting], sign[~births.lasting]
        above = (ours[:, None] > theirs).mean() + (ours[:, None] == theirs).mean() / 2
        assert above == pytest.approx(0.5, abs=0.07)  # 3 sigma of 400 against 400 are 0.06


def test_the_same_seed_gives_the_same_births(births):
    assert draw_births(480, 5).digest() == births.digest()
    assert draw_births(480, 6).digest() != births.digest()


@pytest.mark.parametrize("shares", [(1.0,) * 5, (1, 1, 1, 1, 1, -1), (0,) * 6])
def test_wrong_shares_are_an_error(shares):
    with pytest.raises(ValueError, match="shares must be six numbers from 0 on"):
        draw_births(10, 0, shares=shares)
