import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.fusion_module import clock  # noqa: E402
from liquid_mono3d_ros.fusion.kinds import KINDS, make_fusion  # noqa: E402
from liquid_mono3d_ros.fusion.streams import merge  # noqa: E402

D = 24
HEAR_TIME = [kind for kind in KINDS if kind != "static"]


@pytest.fixture(params=KINDS)
def fusion(request):
    return make(request.param)


def make(kind):
    torch.manual_seed(0)
    return make_fusion(kind, D, 20_000).eval().requires_grad_(False)


def arrivals(streams):
    return torch.cat([streams.state_arrival, streams.video_arrival], dim=1).sort().values


def test_the_shapes_of_a_fusion(fusion, streams):
    embedding, hidden = fusion(streams)
    assert embedding.shape == (3, D)
    assert hidden.shape == (3, 20, D)
    torch.testing.assert_close(embedding, hidden[:, -1])
    torch.testing.assert_close(fusion.embed(streams), embedding)


@pytest.mark.parametrize("size", [576, 1024])
def test_kinds_have_as_many_parameters(size):
    counts = [make_fusion(kind, size, 250_000).num_parameters for kind in KINDS]
    assert max(abs(count / 250_000 - 1) for count in counts) < 0.03


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"kind must be one of static, gru, .*; got 'lstm'"):
        make_fusion("lstm", D, 20_000)


def test_later_events_never_move_earlier_states(fusion, streams, change):
    """What arrives after the tenth event changes in every number; ten states stay."""
    tenth = arrivals(streams)[:, 9:10]
    late = {"video": streams.video_arrival > tenth, "states": streams.state_arrival > tenth}
    other = {
        name: torch.where(is_late[..., None], -3.0, getattr(streams, name))
        for name, is_late in late.items()
    }
    before, after = fusion(streams)[1], fusion(change(streams, **other))[1]
    torch.testing.assert_close(after[:, :10], before[:, :10], rtol=0, atol=1e-6)
    assert ((after[:, 10] - before[:, 10]).abs().amax(dim=1) > 1e-4).all()


@pytest.mark.parametrize("name", ["video", "side", "states"])
def test_every_stream_is_heard(fusion, streams, change, name):
    other = change(streams, **{name: 2 * getattr(streams, name)})
    assert ((fusion(other)[0] - fusion(streams)[0]).abs().amax(dim=1) > 1e-4).all()


@pytest.mark.parametrize("kind", HEAR_TIME)
def test_dt_and_age_matter(kind, streams, change):
    fusion = make(kind)
    before = fusion(streams)[0]
    arrival = {"state_arrival": 3 * streams.state_arrival} | {
        "video_arrival": 3 * streams.video_arrival
    }
    stamp = {
        "state_stamp": arrival["state_arrival"] - streams.state_arrival + streams.state_stamp,
        "video_stamp": arrival["video_arrival"] - streams.video_arrival + streams.video_stamp,
    }
    slower = fusion(change(streams, **arrival, **stamp))[0]  # same order, same ages
    older = fusion(change(streams, video_stamp=streams.video_stamp - 0.1))[0]
    assert ((slower - before).abs().amax(dim=1) > 1e-4).all()
    assert ((older - before).abs().amax(dim=1) > 1e-4).all()


@pytest.mark.parametrize("kind", HEAR_TIME)
def test_the_order_of_arrival_matters(kind, streams, change):
    """The first crop arrives last."""
    arrival = streams.video_arrival.clone()
    arrival[:, 0] = 9.0
    swapped = make(kind)(change(streams, video_arrival=arrival))[0]
    assert ((swapped - make(kind)(streams)[0]).abs().amax(dim=1) > 1e-4).all()


def test_only_differences_of_times_matter(fusion, streams, change):
    names = [name for name in vars(streams) if name.endswith(("stamp", "arrival"))]
    later = change(streams, **{name: getattr(streams, name) + 4.0 for name in names})
    torch.testing.assert_close(fusion(later)[0], fusion(streams)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stream", ["video", "states"])
def test_a_hidden_stream_is_ignored(fusion, streams, change, stream):
    other = "states" if stream == "video" else "video"
    alone = fusion(streams.only(stream))
    changed = change(streams, **{other: torch.full_like(getattr(streams, other), 7.0)})
    assert torch.equal(fusion(changed.only(stream))[0], alone[0])
    assert alone[0].isfinite().all()


def test_unseen_events_are_as_if_cut_off(fusion, streams, change):
    seen = streams.video_seen.clone()
    seen[:, 4:] = False
    cut = {n: getattr(streams, n)[:, :4] for n in vars(streams) if n in ("video", "side")}
    cut |= {n: getattr(streams, n)[:, :4] for n in vars(streams) if n.startswith("video_")}
    short, padded = fusion(change(streams, **cut)), fusion(change(streams, video_seen=seen))
    torch.testing.assert_close(padded[0], short[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded[1][:, :18], short[1], rtol=1e-4, atol=1e-5)


def test_tracks_of_a_batch_do_not_mix(fusion, streams):
    whole = fusion(streams)[0]
    for row in range(3):
        alone = fusion(streams.take(torch.tensor([row])))[0]
        torch.testing.assert_close(alone[0], whole[row], rtol=1e-4, atol=1e-5)


def test_nothing_is_kept_on_the_module(fusion, streams):
    before, kept = fusion(streams), {k: v.clone() for k, v in fusion.state_dict().items()}
    fusion(streams.take(torch.tensor([2, 1])))
    again = fusion(streams)
    assert torch.equal(before[0], again[0])
    assert torch.equal(before[1], again[1])
    assert all(torch.equal(v, kept[k]) for k, v in fusion.state_dict().items())


def test_nothing_seen_at_all_gives_numbers(fusion, streams, change):
    nothing = change(streams.only("video"), video_seen=torch.zeros_like(streams.video_seen))
    assert fusion(nothing)[0].isfinite().all()


def test_static_is_means_and_lasts(streams):
    fusion = make("static")
    events = merge(streams, streams.video[..., :2], streams.states[..., :2])
    past = fusion.summarise(events.x, events)[:, -1]
    expected = [streams.states.mean(dim=1), streams.states[:, -1]]
    expected += [streams.video.mean(dim=1), streams.video[:, -1]]
    torch.testing.assert_close(past, torch.cat([one[:, :2] for one in expected], dim=1))


def test_the_question_matters_and_its_padding_does_not(streams):
    fusion = make("cross")
    draw = torch.Generator().manual_seed(3)
    words = torch.randn(3, 5, D, generator=draw)
    asked = fusion(streams, words)
    assert ((asked[0] - fusion(streams)[0]).abs().amax(dim=1) > 1e-4).all()
    assert ((asked[0] - fusion(streams, words.flip(0))[0])[[0, 2]].abs().amax(dim=1) > 1e-4).all()
    padded = torch.cat([words, torch.full((3, 2, D), 9.0)], dim=1)
    seen = torch.arange(7).expand(3, -1) < 5
    torch.testing.assert_close(fusion(streams, padded, seen)[0], asked[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"words must be of shape \(3, Q, 24\); got shape"):
        fusion(streams, words[..., :4])


def test_clock_tells_dt_age_and_stream(streams):
    events = merge(streams, streams.video[..., :1], streams.states[..., :1])
    told = clock(events)
    torch.testing.assert_close(told[..., 1], 5 * events.age)
    assert torch.equal(told[..., 2].bool(), events.is_video)
    longer = told[..., 0][events.dt > 0.05].min()
    assert longer > told[..., 0][events.dt < 0.04].max()
