import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.streams import merge  # noqa: E402


def merged(streams):
    video = torch.arange(100.0, 106.0).expand(3, -1)[..., None]
    states = torch.arange(14.0).expand(3, -1)[..., None]
    return merge(streams, video, states)


def test_convention_events_come_in_order_of_arrival(streams):
    events = merged(streams)
    for row in range(3):
        arrivals = [(float(t), k) for k, t in enumerate(streams.state_arrival[row])]
        arrivals += [(float(t), 100 + k) for k, t in enumerate(streams.video_arrival[row])]
        expected = [float(k) for _, k in sorted(arrivals)]
        assert events.x[row, :, 0].tolist() == expected
        assert events.is_video[row].tolist() == [k >= 100 for k in expected]


def test_dt_is_between_arrivals_and_age_since_the_stamp(streams):
    events = merged(streams)
    arrival = torch.cat([streams.state_arrival, streams.video_arrival], dim=1).sort().values
    torch.testing.assert_close(events.dt.cumsum(dim=1), arrival - arrival[:, :1])
    assert (events.dt[:, 0] == 0).all()
    late = torch.full_like(events.age, 0.15)
    torch.testing.assert_close(events.age[events.is_video], late[events.is_video])
    assert (events.age[~events.is_video] < 0.021).all()


def test_what_is_not_seen_comes_last_and_is_nothing(streams, change):
    seen = streams.state_seen.clone()
    seen[:, ::2] = False
    events = merged(change(streams, state_seen=seen))
    assert events.seen.sum(dim=1).tolist() == [13] * 3
    assert events.seen[:, :13].all()
    for part in (events.x, events.dt, events.age):
        assert (part[:, 13:] == 0).all()
    assert events.dt.isfinite().all()


def test_of_two_at_once_the_state_is_first(streams, change):
    same = change(streams, video_arrival=streams.state_arrival[:, :6])
    assert merged(same).x[0, :4, 0].tolist() == [0.0, 100.0, 1.0, 101.0]


def test_one_stream_alone(streams):
    assert not streams.only("video").state_seen.any()
    assert streams.only("states").state_seen.all()
    with pytest.raises(ValueError, match="stream must be video or states; got 'both'"):
        streams.only("both")


def test_streams_of_other_shapes_are_refused(streams, change):
    with pytest.raises(ValueError, match=r"video must be of shape \(B, events, 512\); got"):
        change(streams, video=streams.video[..., :5])
    with pytest.raises(ValueError, match=r"side must be of shape \(3, 6\), as video; got"):
        change(streams, side=streams.side[:, :5])
