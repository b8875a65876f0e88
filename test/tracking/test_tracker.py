from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.checks import check_covariance
from liquid_mono3d_ros.records import SECOND, State
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import TrackTable
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings

STEP = SECOND // 30


def at(*uv: tuple[float, float], sigma_px: float = 1.0) -> Detections:
    return Detections.at(np.array(uv, dtype=float).reshape(-1, 2), sigma_px)


def run(tracker: Tracker, images: list[Detections], start: int = 0) -> list[TrackTable]:
    return [tracker.update(seen, start + k * STEP) for k, seen in enumerate(images)]


def states(tables: list[TrackTable], track_id: int = 1) -> list[int]:
    return [int(t.state[t.track_id == track_id][0]) for t in tables if track_id in t.track_id]


def test_life_of_a_track() -> None:
    settings = TrackerSettings(coast_seconds=0.1)
    tables = run(Tracker(settings), [at((50, 50))] * 4 + [at()] * 6)
    expected = [State.TENTATIVE] * 2 + [State.CONFIRMED] * 2 + [State.COASTING] * 3
    assert states(tables) == [*expected, State.DELETED]
    assert [t.measured.tolist() for t in tables[3:5]] == [[True], [False]]
    assert [len(t) for t in tables[-2:]] == [0, 0]


@pytest.mark.parametrize("pattern", ["111", "1011", "1101", "10101", "11001", "10011"])
def test_convention_three_of_five_confirm(pattern: str) -> None:
    tables = run(Tracker(TrackerSettings()), [at((5, 5)) if c == "1" else at() for c in pattern])
    assert states(tables) == [State.TENTATIVE] * (len(pattern) - 1) + [State.CONFIRMED]
    assert tables[-1].track_id.tolist() == [1]


@pytest.mark.parametrize("pattern", ["1000", "11000", "10100", "10010"])
def test_less_is_deleted_as_soon_as_it_is_out_of_reach(pattern: str) -> None:
    images = [at((5, 5)) if c == "1" else at() for c in pattern]
    tables = run(Tracker(TrackerSettings()), [*images, at()])
    assert states(tables)[-1] == State.DELETED
    assert states(tables).count(State.DELETED) == 1
    assert State.CONFIRMED not in states(tables)


def test_one_hit_can_be_enough() -> None:
    (table,) = run(Tracker(TrackerSettings(birth_hits=1)), [at((5, 5))])
    assert table.state.tolist() == [State.CONFIRMED]


def test_ids_are_never_used_again_even_after_reset() -> None:
    tracker = Tracker(TrackerSettings())
    first = run(tracker, [at((5, 5), (90, 90))])[0]
    tracker.reset()
    second = run(tracker, [at((5, 5), (90, 90))])[0]
    assert first.track_id.tolist() == [1, 2]
    assert second.track_id.tolist() == [3, 4]


def test_deleted_is_returned_exactly_once(rng: np.random.Generator) -> None:
    tracker = Tracker(TrackerSettings(coast_seconds=0.2))
    ends: Counter[int] = Counter()
    last_seen: dict[int, int] = {}
    for k in range(200):
        seen = at(*rng.uniform(0, 400, (rng.integers(0, 6), 2)))
        table = tracker.update(seen, k * STEP)
        assert not set(table.track_id.tolist()) & set(ends)
        ends.update(table.track_id[table.state == State.DELETED].tolist())
        last_seen.update(dict.fromkeys(table.track_id.tolist(), k))
    assert len(ends) > 50
    assert set(ends.values()) == {1}
    assert all(i in ends for i, k in last_seen.items() if k < 199)


def test_velocity_is_unknown_then_true() -> None:
    tables = run(
        Tracker(TrackerSettings(process_noise=1.0)),
        [at((100 + 4 * k, 50 - 2 * k), sigma_px=0.1) for k in range(20)],
    )
    assert np.isnan(tables[0].velocity).all()
    assert np.isfinite(tables[1].velocity).all()
    assert np.allclose(tables[-1].velocity, [[120, -60]], atol=1)


def test_a_coasting_track_and_its_box_move_on_and_grow_uncertain() -> None:
    images = [
        Detections.at(
            np.array([[100.0 + 4 * k, 50.0]]), 0.1, np.array([[90.0 + 4 * k, 40, 20, 20]])
        )
        for k in range(20)
    ]
    tables = run(Tracker(TrackerSettings(process_noise=1.0)), [*images, at(), at()])
    assert np.allclose(tables[-1].x[0, :2], [100 + 4 * 21, 50], atol=0.3)
    assert np.allclose(tables[-1].bbox, [[90 + 4 * 21, 40, 20, 20]], atol=0.3)
    variances = [table.P[0, 0, 0] for table in tables[-3:]]
    assert variances[0] < variances[1] < variances[2]


def test_nothing_but_velocity_box_and_score_is_ever_nan(rng: np.random.Generator) -> None:
    tracker = Tracker(TrackerSettings())
    for k in range(60):
        table = tracker.update(at(*rng.uniform(0, 200, (rng.integers(0, 8), 2))), k * STEP)
        assert np.isfinite(table.x).all()
        check_covariance("P", table.P)


def test_a_repeated_stamp_changes_nothing() -> None:
    tracker = Tracker(TrackerSettings())
    before = tracker.update(at((50, 50)), 7)
    again = tracker.update(at((52, 50), (90, 90)), 7)
    assert np.array_equal(again.x, before.x)
    assert again.num_measured.tolist() == [1]
    later = tracker.update(at((50, 50)), 7 + STEP)
    assert later.num_images.tolist() == [2]


def test_a_deleted_track_is_not_repeated_with_the_stamp() -> None:
    tracker = Tracker(TrackerSettings())
    tables = run(tracker, [at((5, 5)), at(), at(), at()])
    assert tables[-1].state.tolist() == [State.DELETED]
    assert len(tracker.update(at(), 3 * STEP)) == 0


def test_a_backward_stamp_is_refused() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(at(), 1000)
    with pytest.raises(
        ValueError, match=r"stamp must be at least 1000 ns; got 999 ns\. Call reset"
    ):
        tracker.update(at(), 999)


def test_after_a_long_pause_tracks_end_instead_of_jumping() -> None:
    tracker = Tracker(TrackerSettings())
    run(tracker, [at((50, 50))] * 5)
    table = tracker.update(at((50, 50)), 60 * SECOND)
    assert table.track_id.tolist() == [1, 2]
    assert table.state.tolist() == [State.DELETED, State.TENTATIVE]


def test_class_and_score_of_the_newest_detection_stay() -> None:
    ball = replace(at((50, 50)), class_id=("ball",), score=np.array([0.8]))
    tables = run(Tracker(TrackerSettings()), [ball, ball, ball, at()])
    assert tables[-1].class_id.tolist() == ["ball"]
    assert tables[-1].score.tolist() == [0.8]


def test_six_pixel_targets_that_cross_keep_their_identity() -> None:
    images = []
    for k in range(40):
        t = k / 30
        images.append(at((20 + 120 * t, 60 + 30 * t), (180 - 120 * t, 66 + 30 * t)))
    tables = run(Tracker(TrackerSettings()), images)
    assert [t.track_id.tolist() for t in tables] == [[1, 2]] * 40
    assert np.allclose(tables[-1].x[:, 0], [176, 24], atol=1)


def test_a_clutter_scene_keeps_its_identities(rng: np.random.Generator) -> None:
    n, steps = 30, 100
    position = rng.uniform((200, 200), (1700, 900), (n, 2))
    velocity = rng.normal(0, 80, (n, 2))
    tracker = Tracker(TrackerSettings())
    owner: dict[int, int] = {}
    switches = missed = 0
    for k in range(steps):
        truth = position + velocity * k / 30
        seen = truth[rng.random(n) < 0.95]
        seen = seen + rng.normal(0, 1.5, seen.shape)
        table = tracker.update(at(*seen, *rng.uniform(0, 1000, (2, 2)), sigma_px=1.5), k * STEP)
        alive = np.flatnonzero(np.isin(table.state, (State.CONFIRMED, State.COASTING)))
        for i in range(n) if k >= 5 else ():
            gap = np.linalg.norm(table.x[alive, :2] - truth[i], axis=1)
            if gap.min(initial=np.inf) > 10:
                missed += 1
                continue
            track_id = int(table.track_id[alive[gap.argmin()]])
            switches += owner.get(i, track_id) != track_id
            owner[i] = track_id
    assert switches <= 2
    assert missed <= 0.01 * n * steps


def hidden_walk(hidden: set[int], last: int) -> list[Detections]:
    """One thing at 150 px/s, unseen in some images, while another rests 60 px beside its path."""
    return [at(*([] if k in hidden else [(50 + 5 * k, 100)]), (300, 160)) for k in range(last)]


@pytest.mark.parametrize("gone", [5, 15, 28])
def test_identity_survives_being_hidden_for_up_to_a_second(gone: int) -> None:
    tables = run(Tracker(TrackerSettings()), hidden_walk(set(range(40, 40 + gone)), 90))
    assert set(states(tables)[40 : 40 + gone]) == {State.COASTING}
    assert tables[-1].track_id.tolist() == [1, 2]
    assert np.allclose(tables[-1].x[0, :2], [50 + 5 * 89, 100], atol=1)


def test_a_thing_that_has_not_been_seen_is_not_expected_to_be() -> None:
    tables = run(Tracker(TrackerSettings()), [at((50, 50))] * 10 + [at()] * 6)
    chance = [table.visible[0] for table in tables]
    assert chance[9] == 1.0
    assert (np.diff(chance[9:]) < 0).all()
    assert chance[-1] < 0.1


def test_a_false_detection_beside_a_hidden_thing_is_not_taken_for_it() -> None:
    images = hidden_walk(set(range(40, 60)), 60)
    images[52] = at((50 + 5 * 52, 40), (300, 160))  # 60 px beside where it is by now
    table = run(Tracker(TrackerSettings()), images)[-1]
    assert np.allclose(table.x[table.track_id == 1, :2], [[50 + 5 * 59, 100]], atol=3)


def test_a_bounce_keeps_its_identity() -> None:
    heights = [abs(40 - k) * 5.0 for k in range(80)]  # falls and rises at 150 px/s
    tables = run(Tracker(TrackerSettings()), [at((100, 500 - h)) for h in heights])
    assert [table.track_id.tolist() for table in tables] == [[1]] * 80
    assert all(table.measured.all() for table in tables)


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[np.ndarray, float, int]]:
    """Images with few, many or no detections, scattered or in one place, after any pause."""
    images, stamp = [], draw(st.integers(-(10**18), 10**18))
    for _ in range(draw(st.integers(1, 12))):
        spread = draw(st.sampled_from([0.0, 1.0, 2000.0, 1e7]))
        number = draw(st.sampled_from([0, 1, 3, 200]))
        seed = draw(st.integers(0, 9))
        uv = np.random.default_rng(seed).uniform(-spread, spread, (number, 2))
        images.append((uv, draw(st.sampled_from([1e-3, 1.0, 50.0])), stamp))
        stamp += draw(st.sampled_from([0, 1, STEP, SECOND, 10**17]))
    return images


@settings(max_examples=60, deadline=None)
@given(sequences(), st.sampled_from([0.0, 1.0, 60.0]))
def test_whatever_comes_tracks_stay_finite_and_ids_unique(
    images: list[tuple[np.ndarray, float, int]], coast: float
) -> None:
    tracker = Tracker(TrackerSettings(coast_seconds=coast))
    ended: set[int] = set()
    known: set[int] = set()
    highest = 0
    for uv, sigma_px, stamp in images:
        table = tracker.update(Detections.at(uv, sigma_px), stamp)
        ids = table.track_id.tolist()
        assert len(set(ids)) == len(ids)
        assert not set(ids) & ended
        assert all(i > highest for i in set(ids) - known)
        assert np.isfinite(table.x).all()
        check_covariance("P", table.P)
        assert ((table.visible > 0) & (table.visible <= 1)).all()
        ended.update(table.track_id[table.state == State.DELETED].tolist())
        known.update(ids)
        highest = max([highest, *ids])


def test_nan_never_enters() -> None:
    with pytest.raises(ValueError, match="uv must be finite"):
        at((np.nan, 5))


def test_noise_of_a_manoeuvre_is_the_larger() -> None:
    with pytest.raises(ValueError, match=r"manoeuvre_noise must be at least process_noise, 90"):
        TrackerSettings(process_noise=90, manoeuvre_noise=80)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="birth_hits must be at most birth_images, 3; got 4"):
        TrackerSettings(birth_hits=4, birth_images=3)
