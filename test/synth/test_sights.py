"""Rendered scenes: shapes, truth by margins, the same from the same seed."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.encounters import draw_encounters
from liquid_mono3d_ros.synth.sights import CHUNK, Staging, draw_sights, draw_sights_parallel
from liquid_mono3d_ros.synth.truths import label_motions
from liquid_mono3d_ros.tracking.crops import MARGIN

SHORT = Staging(video_rate=5.0, state_rate=20.0, duration=1.5)


@pytest.fixture(scope="module")
def drawn():
    return draw_sights(Staging(), 2 * CHUNK, seed=1)


def words(sights, name):
    return np.array(ATTRIBUTES[name].values)[sights.label[name]]


def test_shapes_and_kinds(drawn):
    n = 2 * CHUNK
    assert (drawn.crops.shape, drawn.crops.dtype) == ((n, 2, 30, 64, 64, 3), np.uint8)
    assert drawn.covariance.shape == (n, 2, 120, 6, 6)
    assert list(drawn.label) == list(ATTRIBUTES)
    for name, attribute in ATTRIBUTES.items():
        label = drawn.label[name]
        assert label.dtype == np.int64
        assert -1 <= label.min() <= label.max() < len(attribute.values)
        assert (label >= 0).any(), name
        if attribute.pair:
            assert (label[:, 1] == -1).all()
    assert len(drawn.take(drawn.label["flash"][:, 0] >= 0)) < len(drawn)


def test_clocks(drawn):
    for stamp, arrival in (
        (drawn.video_stamp, drawn.video_arrival),
        (drawn.state_stamp, drawn.state_arrival),
    ):
        assert (np.diff(stamp, axis=1) > 0).all()
        assert (np.diff(arrival, axis=1) >= 0).all()
        assert (arrival > stamp).all()
        assert stamp.min() > -0.01
        assert stamp.max() < 2.05
    late = drawn.video_arrival - drawn.video_stamp
    assert 0.06 < late.min() < late.max() < 0.23
    gaps = np.diff(drawn.state_stamp, axis=1)
    assert gaps.std() > 0.15 * gaps.mean()


def test_convention_where_nothing_was_seen_there_is_nothing(drawn):
    unseen = ~drawn.seen
    assert 0.01 < unseen.mean() < 0.06
    assert not drawn.crops[unseen].any()
    assert not drawn.side[unseen].any()
    assert (drawn.side[drawn.seen] > 0).all()


def test_convention_side_times_depth_is_size(drawn):
    """The window is MARGIN times the box, in tangent units; off the axis range exceeds depth."""
    side = np.where(drawn.seen, drawn.side, np.nan)
    size = np.nanmean(side, axis=2) * drawn.amount["range"] / MARGIN
    ratio = size / drawn.amount["size"]
    assert 1.0 < np.median(ratio) < 1.08
    assert np.abs(np.log(ratio)).max() < 0.25
    error = np.abs(drawn.range.mean(axis=2) / drawn.amount["range"] - 1)
    assert error.max() < 0.06


def test_labels_keep_their_margins():
    encounters = draw_encounters(Staging(), 400, np.random.default_rng(0))
    labels, amounts = label_motions(encounters, np.zeros((400, 2), dtype=int))
    for name in ("size", "speed"):
        for k in range(2):
            below, above = (amounts[name][labels[name] == word] for word in (k, k + 1))
            assert below.max() < 0.75 * above.min(), name
    climb, height = amounts["climb"], labels["height"]
    assert (climb[height == 0] > 0.25).all()
    assert (climb[height == 1] < -0.25).all()
    assert (np.abs(climb[height == 2]) < 0.06).all()
    for name in ("motion", "speed", "direction", "height", "size"):
        values = len(ATTRIBUTES[name].values)
        assert set(range(values)) <= set(labels[name].ravel().tolist()), name


def test_pairs_differ_clearly_and_name_a_colour_that_is_there(drawn):
    colour = drawn.label["colour"]
    assert (colour[:, 0] != colour[:, 1]).all()
    for name, amount, sense, least in (
        ("nearer_colour", np.log(drawn.amount["range"]), -1, 0.3),
        ("faster_colour", np.log(drawn.amount["speed"]), 1, 0.3),
        ("rising_colour", drawn.amount["climb"], 1, 0.1),
    ):
        label = drawn.label[name][:, 0]
        mine = label >= 0
        first = label[mine] == colour[mine, 0]
        difference = sense * (amount[mine, 0] - amount[mine, 1])
        assert ((difference > 0) == first).all()
        assert np.abs(difference).min() > least, name


def test_the_motion_shows_its_class(drawn):
    velocity = drawn.truth[..., 3:].astype(float)
    speed = np.linalg.norm(velocity, axis=3)
    way = np.linalg.norm(drawn.truth[:, :, -1, :3] - drawn.truth[:, :, 0, :3], axis=2)
    length = speed.mean(axis=2) * (drawn.state_stamp[:, -1] - drawn.state_stamp[:, 0])[:, None]
    straight, motion = way / length, words(drawn, "motion")
    assert (straight[motion == "line"] > 0.99).all()
    assert (straight[motion == "circle"] < 0.7).all()
    stopped = (speed < 0.02 * speed.max(axis=2, keepdims=True)).mean(axis=2)
    assert (stopped[motion == "stop-and-go"] > 0.1).all()
    falls = np.diff(velocity[..., 2], axis=2) / np.diff(drawn.state_stamp, axis=1)[:, None]
    free = np.median(falls, axis=2)
    np.testing.assert_allclose(
        free[(motion == "parabola") | (motion == "bounce")], -9.81, rtol=1e-2
    )


def test_a_flash_is_seen_at_its_time_and_where_the_word_says(drawn):
    brightness = drawn.crops.mean(axis=(3, 4, 5))
    found = np.argwhere(drawn.label["flash"] >= 0)
    assert len(found) > 3
    for n, o in found:
        when = drawn.video_stamp[n, brightness[n, o].argmax()]
        assert abs(when - drawn.amount["flash_time"][n, o]) < 0.06
        climb = np.interp(
            drawn.amount["flash_time"][n, o], drawn.state_stamp[n], drawn.truth[n, o, :, 5]
        )
        if words(drawn, "flash")[n, o] == "at the apex":
            assert abs(climb) < 0.6
        else:
            assert abs(climb) > 0.6 or words(drawn, "motion")[n, o] == "bounce"


def test_a_bar_hides_part_of_what_passes_behind_it():
    """Where the bar passes, the middle of a crop changes only if the bar is in front."""
    sights = draw_sights(Staging(dropout=0.0, state_rate=20.0), 4 * CHUNK, seed=6)
    calm = (sights.label["blinking"] == 0) & (words(sights, "shape") != "ring")
    calm &= np.isnan(sights.amount["flash_time"])
    middle = sights.crops[..., 22:42, 22:42, :].astype(float).mean(axis=(3, 4))  # (N, 2, V, 3)
    change = np.abs(middle - np.median(middle, axis=2, keepdims=True)).max(axis=(2, 3))
    behind = change[calm & (sights.label["passes_behind"] == 1)]
    front = change[calm & (sights.label["passes_behind"] == 0)]
    assert min(len(behind), len(front)) > 4
    assert np.median(behind) > 2 * np.median(front)


def test_the_same_seed_gives_the_same_scenes():
    sights = draw_sights(SHORT, 2 * CHUNK, seed=2)
    assert draw_sights_parallel(SHORT, 2 * CHUNK, seed=2, processes=2).digest() == sights.digest()
    fewer = draw_sights(SHORT, 3, seed=2)
    assert fewer.digest() == sights.take(slice(3)).digest()
    assert draw_sights(SHORT, 3, seed=3).digest() != fewer.digest()
    tested = Staging(split="test", video_rate=5.0, state_rate=20.0, duration=1.5)
    other = draw_sights(tested, 3, seed=2)  # no twins of what was trained on
    assert any((other.label[name] != fewer.label[name]).any() for name in ("shape", "colour"))
    assert (other.label["colour"] == fewer.label["colour"]).mean() < 0.7


def test_other_rates_and_delays():
    staging = Staging(video_rate=10.0, video_delay=(0.2, 0.3), state_rate=30.0, duration=1.5)
    sights = draw_sights(staging, 2, seed=0)
    assert sights.crops.shape[2] == 15
    assert sights.state_stamp.shape == (2, 45)
    assert (sights.video_arrival - sights.video_stamp).min() > 0.17


def test_what_is_refused():
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        draw_sights(SHORT, 0, seed=0)
    with pytest.raises(ValueError, match="processes must be at least 1; got 0"):
        draw_sights_parallel(SHORT, 1, seed=0, processes=0)
    with pytest.raises(ValueError, match="split must be one of train, test; got 'dev'"):
        Staging(split="dev")
    with pytest.raises(ValueError, match="video_rate must be between 5 and 60; got 1"):
        Staging(video_rate=1)
    with pytest.raises(ValueError, match="version must be '1'; got '0'"):
        Staging(version="0")
    with pytest.raises(ValueError, match=r"video_delay\[1\] must be between 0.2 and 2; got 0.1"):
        Staging(video_delay=(0.2, 0.1))
