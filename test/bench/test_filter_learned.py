"""The filter that runs, beside the training that made it, on the same flights."""

import hashlib
import json

import numpy as np
import pytest

from liquid_mono3d_ros.bench.filter_learned import learned_filters, run_experts
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS, TrackFilter
from liquid_mono3d_ros.synth.flights import Conditions, draw_flights

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid.design import FilterSettings  # noqa: E402
from liquid_mono3d_ros.train.advisers import KINDS  # noqa: E402
from liquid_mono3d_ros.train.closed_loop import Frames, run  # noqa: E402
from liquid_mono3d_ros.train.filter_recipe import torch_bank, write_models  # noqa: E402
from liquid_mono3d_ros.train.filter_training import Arm, Errors  # noqa: E402
from liquid_mono3d_ros.train.open_loop import errors, record  # noqa: E402

BANK = {"turning_noise": 20.0, "gate_abrupt": False, "share": [0.3, 0.2, 0.2, 0.1, 0.2]}


@pytest.fixture(scope="module")
def flights():
    """Without outliers: a track that begins anew is not part of the training."""
    conditions = Conditions(frames=20, rate=(15, 60), dropout=0.1, calibration_deg=0.1)
    drawn = draw_flights(conditions, 12, 4)
    return drawn.take(drawn.seen[:, 0])


def network(folder, loop):
    """Write a network with random heads; return it as the training and as the filter have it."""
    draw = torch.Generator().manual_seed(1)
    group = KINDS["liquid"](16, 1, draw)
    group.heads.data = 0.2 * torch.randn(group.heads.shape, generator=draw)
    if loop == "open":
        group.heads.data[:, :3] = 0
    note = {"loop": loop, "filter": BANK, "arm": "strict"}
    arm = Arm("liquid_filter", "liquid", 3000, 1)
    write_models(folder, arm, group, [{"rmse_m": 1.0}], note)
    return group, Adviser.load(folder / "liquid_filter-0.safetensors")


@pytest.mark.parametrize("loop", ["open", "noise", "closed"])
@pytest.mark.parametrize("known", [True, False])
def test_the_filter_does_what_was_trained(flights, tmp_path, loop, known):
    group, adviser = network(tmp_path, loop)
    bank = torch_bank("cpu", FilterSettings.from_flat(BANK))
    with torch.no_grad():
        if loop == "open":
            told = torch.full((len(flights),), known)
            found = errors([group], record(bank, flights, "cpu", known=told))
        else:
            frames = Frames.of(flights)
            frames = Frames(**{**vars(frames), "gravity": frames.gravity * known})
            outputs = run(bank, [group], frames, tilts=loop == "noise")
            found = Errors.of(list(outputs), frames, slice(1, None))
    estimates = run_experts(adviser, ("liquid",), flights, known)
    place = (estimates.xyz - flights.xyz)[:, 1:].swapaxes(0, 1)
    speed = (estimates.velocity - flights.velocity)[:, 1:].swapaxes(0, 1)
    P = estimates.covariance[:, 1:, :3, :3].swapaxes(0, 1)
    scale = np.sqrt(np.trace(P, axis1=2, axis2=3))
    assert np.abs(place - found.place.numpy()).max() < 0.02 * scale.max()
    np.testing.assert_allclose(speed, found.speed.numpy(), atol=0.05)
    np.testing.assert_allclose(P, found.P_place.numpy(), rtol=0.05, atol=1e-6)


def test_the_mixture_never_loses_more_than_its_bound(flights, tmp_path):
    _, adviser = network(tmp_path, "open")
    regret = run_experts(adviser, ("imm", "liquid", "abrupt"), flights, True).regret
    assert (regret.excess <= regret.bound + 1e-9).all()
    assert (regret.loss[:, -1, 0] != regret.loss[:, -1, 1]).all()


def test_what_the_package_ships_is_found():
    found = learned_filters()
    assert {one.name for one in found} == {"liquid", "network"}
    assert {one.weights for one in found} == {"strict", "shipped"}


def test_the_card_tells_of_the_weights_that_are_there():
    card = (WEIGHTS.parent / "README.md").read_text(encoding="utf-8")
    for path in WEIGHTS.parent.glob("*.safetensors"):
        assert f"| `{path.name}` |" in card
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card


def test_a_bank_that_is_none_is_refused(tmp_path):
    _, adviser = network(tmp_path, "open")
    adviser.notes["filter"] = json.dumps({"share": [1.0]})
    adviser.save(tmp_path / "bad.safetensors")
    settings = FilterSettings(filter="liquid", weights=str(tmp_path / "bad.safetensors"))
    assert "share must be five numbers" in TrackFilter(settings).fallback_reason
    adviser.notes["filter"] = json.dumps({"no_such": 1})
    adviser.save(tmp_path / "bad.safetensors")
    assert "no_such" in TrackFilter(settings).fallback_reason
