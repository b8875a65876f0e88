"""Training in miniature: the loops agree, losses fall, and an interrupted run goes on."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid import advice as running  # noqa: E402
from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.synth.flights import Conditions, draw_flights  # noqa: E402
from liquid_mono3d_ros.train.advisers import KINDS, LiquidAdviser, invariants, units_for  # noqa: E402
from liquid_mono3d_ros.train.closed_loop import Frames, begin, run  # noqa: E402
from liquid_mono3d_ros.train.differentiable_bank import collapse  # noqa: E402
from liquid_mono3d_ros.train.filter_recipe import _recipe, follow  # noqa: E402
from liquid_mono3d_ros.train.filter_training import (  # noqa: E402
    Arm,
    Errors,
    Recipe,
    Training,
    can_begin,
    scores,
)
from liquid_mono3d_ros.train.open_loop import OpenTraining, apply, open_scores, record  # noqa: E402


@pytest.fixture(scope="module")
def bank(twin):
    return twin


@pytest.fixture(scope="module")
def flights():
    drawn = draw_flights(Conditions(frames=16, rate=(10, 60), dropout=0.1, outliers=0.05), 40, 1)
    return drawn.take(np.flatnonzero(can_begin(drawn)))


def group(kind, heads=0.0, models=1):
    draw = torch.Generator().manual_seed(0)
    made = KINDS[kind](8, models, draw)
    made.heads.data += heads * torch.randn(made.heads.shape, generator=draw)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_network_leaves_the_bank_as_it_is(bank, flights, kind):
    frames = Frames.of(flights)
    alone, advised = list(run(bank, [], frames)), list(run(bank, [group(kind)], frames))
    for a, b in zip(alone, advised, strict=True):
        torch.testing.assert_close(b.x, a.x, rtol=0, atol=1e-9)
        torch.testing.assert_close(b.P, a.P, rtol=0, atol=1e-9)


def test_both_loops_begin_with_the_same_errors(bank, flights):
    tape, frames = record(bank, flights, "cpu"), Frames.of(flights)
    closed = Errors.of(list(run(bank, [], frames)), frames, slice(1, None))
    opened = apply(torch.zeros(*tape.seen.shape, 28), tape)
    for name in ("place", "speed", "P_place", "P_speed"):
        torch.testing.assert_close(
            getattr(opened, name).double(), getattr(closed, name), rtol=1e-4, atol=1e-5
        )


def test_both_loops_hear_and_move_alike_at_the_first_measurement(bank, flights):
    """Later ones differ: only in the closed loop does advice reach the bank."""
    network, all_seen = group("liquid", heads=0.3), replace(flights, seen=flights.seen | True)
    network.heads.data[:, :3] = 0  # advice on noise belongs to the closed loop
    frames = Frames.of(all_seen)
    closed = Errors.of(list(run(bank, [network], frames)), frames, slice(1, None))
    tape = record(bank, all_seen, "cpu")
    from liquid_mono3d_ros.train.open_loop import errors

    opened = errors([network], tape)
    torch.testing.assert_close(opened.place[0].double(), closed.place[0], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(opened.place[-1].double(), closed.place[-1], rtol=1e-3, atol=1e-4)


def test_the_twin_hears_what_the_running_network_hears(bank, flights):
    frames = Frames.of(flights)
    state = begin(bank, [], frames)
    frame = frames.at(1)
    predicted = bank.predict(state.belief, frame.dt, frames.gravity, state.memory.log_q)
    seen = bank.compare(predicted, frame.measured)
    x, _ = collapse(predicted)
    heard = invariants(
        seen, frame.measured, predicted.log_mu, x, frames.gravity, frame.dt, state.memory
    )
    told = running.Evidence(
        *(a.numpy() for a in (seen.y, seen.S, seen.mean, seen.whole, predicted.log_mu)),
        *(a.numpy() for a in (x[:, 3:6], x[:, 6:], frame.measured.R)),
        flights.B[:, 1],
        flights.gravity,
        frame.dt.numpy(),
    )
    zeros = np.zeros((len(flights), 3))
    kept = running.Memory(np.zeros((len(flights), 8)), zeros, zeros, zeros[:, 0], zeros[:, 0])
    np.testing.assert_allclose(running.invariants(told, kept), heard.numpy(), atol=1e-9)


@pytest.mark.parametrize("kind", [Training, OpenTraining])
def test_losses_fall_and_a_run_repeats_itself(bank, flights, tmp_path, kind):
    recipe = Recipe((Arm("a", "liquid", 1500, 2),), tracks=16, window=8, steps=12)
    logs = []
    for name in ("one", "two"):
        training = kind(recipe, bank, flights, "cpu")
        training.train(tmp_path / name, tell=lambda line: None)
        logs.append([p.detach().clone() for p in training.groups[0].parameters()])
    for a, b in zip(*logs, strict=True):
        assert torch.equal(a, b)
    if kind is Training:
        before, after = scores(bank, [], flights)[0], scores(bank, training.groups, flights)
    else:
        tape = record(bank, flights, "cpu")
        before, after = (
            open_scores(group("liquid"), tape)[0],
            open_scores(training.groups[0], tape),
        )
    assert all(row["nll"] < before["nll"] for row in after)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(bank, flights, tmp_path):
    def trained(*steps):
        for part, total in enumerate(steps):
            recipe = Recipe((Arm("a", "gru", 1500, 1),), tracks=8, steps=total, learning_rate=0.0)
            training = OpenTraining(recipe, bank, flights, "cpu")
            if part:
                training.restore(tmp_path / "checkpoint.pt")
            training.train(tmp_path / "log.csv", tell=lambda line: None)
            training.save(tmp_path / "checkpoint.pt")
        return training

    straight, resumed = trained(6), trained(3, 6)
    assert resumed.done == 6
    assert torch.equal(straight.batches.get_state(), resumed.batches.get_state())
    for a, b in zip(straight.averaged[0], resumed.averaged[0], strict=True):
        torch.testing.assert_close(a, b)


def test_sizes_are_met():
    for kind in KINDS:
        draw = torch.Generator().manual_seed(0)
        size = KINDS[kind](units_for(kind, 10000), 1, draw).size()
        assert abs(size - 10000) < 400


def test_a_whole_recipe(tmp_path):
    content = yaml.safe_load(share_path("config/recipes/filter.yaml").read_text())
    content["flights"].update(count=16, validation=8)
    for conditions in content["flights"]["conditions"]:
        conditions["frames"] = 8
    content["training"].update(tracks=4)
    for stage in content["stages"]:
        stage["steps"] = 2
    content["arms"] = [{**content["arms"][0], "seeds": 2}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    follow(path, tmp_path / "out")
    name = content["arms"][0]["name"]
    units = LiquidAdviser(units_for("liquid", 30000), 1, torch.Generator()).units
    for stage in content["stages"]:
        folder = tmp_path / "out" / stage["loop"]
        loaded = running.Adviser.load(folder / f"{name}-1.safetensors")
        assert loaded.units == units
        assert loaded.notes["loop"] == stage["loop"]
        assert (folder / "log.png").stat().st_size > 1000


def test_a_stage_begins_with_the_averaged_weights_of_the_one_before(bank, flights, tmp_path):
    arms = (Arm("a", "gru", 1500, 1), Arm("b", "liquid", 1500, 2))
    first = OpenTraining(Recipe(arms, tracks=8, steps=3), bank, flights, "cpu")
    first.train(tmp_path / "log.csv", tell=lambda line: None)
    first.save(tmp_path / "checkpoint.pt")
    second = Training(Recipe(arms[1:], tracks=8, tilts=True), bank, flights, "cpu")
    second.begin_with(tmp_path / "checkpoint.pt")
    for p, mean in zip(second.groups[0].parameters(), first.averaged[1], strict=True):
        assert torch.equal(p, mean)


def test_what_is_said_of_the_models_reaches_the_output_alone(bank, flights):
    """With no advice on noise, a loop that tilts is the open loop."""
    network = group("liquid", heads=0.3)
    network.heads.data[:, :3] = 0
    frames, tape = Frames.of(flights), record(bank, flights, "cpu")
    from liquid_mono3d_ros.train.open_loop import errors

    tilted = Errors.of(list(run(bank, [network], frames, tilts=True)), frames, slice(1, None))
    opened = errors([network], tape)
    for name in ("place", "speed", "P_place", "P_speed"):
        torch.testing.assert_close(
            getattr(opened, name).double(), getattr(tilted, name), rtol=3e-3, atol=3e-4
        )


def test_seeds_are_shared_out_among_processes():
    content = yaml.safe_load(share_path("config/recipes/filter.yaml").read_text())
    content["arms"][0]["seeds"] = 5
    stage = content["stages"][0]
    assert [_recipe(content, stage, rank, 2).arms[0].seeds for rank in (0, 1)] == [3, 2]


def test_a_wrong_word_in_a_recipe_is_named():
    content = yaml.safe_load(share_path("config/recipes/filter.yaml").read_text())
    content["training"]["trakcs"] = 3
    with pytest.raises(ValueError, match=r"got trakcs\. Check the spelling"):
        _recipe(content, content["stages"][0], 0, 1)
    with pytest.raises(ValueError, match="loop must be of open, noise, closed; got 'half'"):
        _recipe(content, {"loop": "half"}, 0, 1)
