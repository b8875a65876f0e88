import numpy as np
import pytest

from liquid_mono3d_ros.liquid.rnn.drawing import draw
from liquid_mono3d_ros.liquid.rnn.wiring import (
    NCP,
    AutoNCP,
    FullyConnected,
    Random,
    Wiring,
    from_ncps,
)


def ncp(seed=1, dale=False):
    return NCP(
        5, 12, 8, 3, sensory_fanout=4, inter_fanout=3, recurrent_command_synapses=6,
        motor_fanin=4, seed=seed, dale=dale,
    )  # fmt: skip


def test_ncp_has_four_layers_and_no_synapse_skips_one():
    wiring = ncp()
    kinds = np.array(wiring.kinds)
    assert wiring.units == 23
    assert wiring.output_size == 3
    assert list(kinds[:3]) == ["motor"] * 3
    paths = {
        (str(kinds[a]), str(kinds[b])) for a, b in np.argwhere(wiring.adjacency)
    }  # (from, to)
    assert paths == {("inter", "command"), ("command", "command"), ("command", "motor")}
    assert {str(kinds[b]) for _, b in np.argwhere(wiring.sensory_adjacency)} == {"inter"}


@pytest.mark.parametrize("seed", range(5))
def test_every_neuron_of_an_ncp_is_reached_and_heard(seed):
    wiring = AutoNCP(19, 2, 3, sparsity=0.9, seed=seed)
    kinds = np.array(wiring.kinds)
    heard, reached = wiring.adjacency.any(axis=1), wiring.adjacency.any(axis=0)
    reached |= wiring.sensory_adjacency.any(axis=0)
    assert reached[kinds != "motor"].all()
    assert heard[kinds == "inter"].all()
    assert reached[kinds == "motor"].all()


def test_motor_neurons_have_their_fanin():
    wiring = ncp()
    motor = np.array(wiring.kinds) == "motor"
    assert ((wiring.adjacency != 0).sum(axis=0)[motor] == 4).all()


def test_a_seed_draws_the_same_circuit():
    first, again, other = (ncp(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.adjacency, again.adjacency)
    assert (first.adjacency != other.adjacency).any()


def test_random_leaves_out_the_share():
    wiring = Random(20, 5, output_size=4, sparsity=0.75)
    assert np.count_nonzero(wiring.adjacency) == 100
    assert np.count_nonzero(wiring.sensory_adjacency) == 25
    assert wiring.output_size == 4


def test_fully_connected_may_leave_out_the_diagonal():
    wiring = FullyConnected(6, 2, self_connections=False)
    assert not wiring.adjacency.diagonal().any()
    assert np.count_nonzero(wiring.adjacency) == 30
    assert wiring.num_synapses == 42


@pytest.mark.parametrize(
    "wiring", [ncp(dale=True), Random(9, 2, dale=True), FullyConnected(9, 2, dale=True)]
)
def test_convention_dale_fixes_the_sign_of_the_sender(wiring):
    sent = wiring.adjacency * wiring.sign[:, None]
    assert (sent >= 0).all()
    assert (wiring.sign == -1).any()


def test_dale_refuses_mixed_signs():
    adjacency = np.array([[1, -1], [0, 0]], dtype=np.int8)
    with pytest.raises(ValueError, match="dale must be False for mixed signs"):
        Wiring(adjacency, np.ones((1, 2), dtype=np.int8), ("motor", "motor"), dale=True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Random(4, 1, sparsity=1.0), "sparsity must be at least 0 and below 1"),
        (lambda: AutoNCP(5, 1, 3), "output_size must be between 1 and units - 3 = 2; got 3"),
        (lambda: FullyConnected(4, 1, output_size=5), "output_size must be between 1 and the 4"),
        (lambda: ncp().__class__(np.full((1, 1), 2), np.ones((1, 1)), ("motor",)), "-1, 0 or 1"),
        (
            lambda: NCP(1, 2, 2, 1, sensory_fanout=3, inter_fanout=1,
                        recurrent_command_synapses=1, motor_fanin=1),
            "sensory_fanout must be between 1 and the 2 inter neurons; got 3",
        ),
    ],
)  # fmt: skip
def test_wrong_numbers_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_wiring_of_ncps_is_read():
    wirings = pytest.importorskip("ncps.wirings")
    theirs = wirings.AutoNCP(19, 4, seed=3)
    with pytest.raises(ValueError, match="wiring must be built"):
        from_ncps(theirs)
    theirs.build(7)
    ours = from_ncps(theirs)
    np.testing.assert_array_equal(ours.adjacency, theirs.adjacency_matrix)
    np.testing.assert_array_equal(ours.sensory_adjacency, theirs.sensory_adjacency_matrix)
    assert ours.output_size == 4
    assert ours.kinds[4] == "command"


def test_the_picture_has_every_neuron_and_synapse(tmp_path):
    pytest.importorskip("matplotlib")
    wiring = ncp()
    figure = draw(wiring)
    axes = figure.axes[0]
    loops = np.count_nonzero(wiring.adjacency.diagonal())
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == wiring.num_synapses - loops
    dots = sum(len(points.get_offsets()) for points in axes.collections)
    assert dots == wiring.units + wiring.input_size + loops
    assert {text.get_text() for text in axes.texts} >= {"motor (3)", "sensory (5)"}
    figure.savefig(tmp_path / "circuit.png")
    assert (tmp_path / "circuit.png").stat().st_size > 1000
