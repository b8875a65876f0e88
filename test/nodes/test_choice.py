"""Primary track and slots."""

import numpy as np
import pytest

from liquid_mono3d_ros.nodes.choice import Primary, Slots
from liquid_mono3d_ros.records import FilterKind, Health, State, Trajectory


def track(track_id, state=State.CONFIRMED, x=1.0):
    return Trajectory(
        stamp=1,
        track_id=track_id,
        epoch=0,
        state=state,
        measured=True,
        xyz=np.array([x, 0.0, 0.0]),
        velocity=np.zeros(3),
        covariance=np.eye(6),
        filter=FilterKind.IMM,
        health=Health.GOOD,
        last_measured=1,
    )


def test_oldest_is_the_lowest_id_and_tentative_tracks_do_not_count():
    choice = Primary("oldest").choose([track(1, State.TENTATIVE), track(3), track(2)])
    assert choice.track_id == 2


def test_nearest_stays_chosen_when_another_comes_nearer():
    primary = Primary("nearest")
    assert primary.choose([track(1, x=3.0), track(2, x=2.0)]).track_id == 2
    assert primary.choose([track(1, x=0.1), track(2, x=2.0)]).track_id == 2
    assert primary.choose([track(1, x=0.1)]).track_id == 1


def test_a_named_track_is_waited_for():
    primary = Primary("7")
    assert primary.choose([track(1)]) is None
    assert primary.choose([track(1), track(7)]).track_id == 7


def test_reset_forgets_the_choice():
    primary = Primary("oldest")
    primary.choose([track(5)])
    primary.reset()
    assert primary.choose([track(5), track(2)]).track_id == 2


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="primary must be oldest, nearest or a track_id; got 'x'"):
        Primary("x")


def test_slot_is_free_only_after_deleted():
    slots = Slots(2)
    assert {k: t.track_id for k, t in slots.assign([track(1), track(2), track(3)]).items()} == {
        0: 1,
        1: 2,
    }
    assert slots.assign([track(2), track(3)]).keys() == {1}  # track 1 is silent, not deleted
    assert slots.assign([track(1, State.DELETED), track(2), track(3)])[0].track_id == 3
