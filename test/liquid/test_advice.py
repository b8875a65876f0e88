import numpy as np
import pytest

from liquid_mono3d_ros.liquid.advice import (
    ANSWERS,
    INPUTS,
    MEMBERS,
    Adviser,
    Evidence,
    Memory,
    invariants,
    move_output,
    read_answers,
    remember,
)
from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights

N, UNITS = 6, 7


def spd(rng, *shape):
    root = rng.normal(size=(*shape, 3, 3))
    return root @ root.swapaxes(-1, -2) + 0.1 * np.eye(3)


def evidence(seed=0):
    rng = np.random.default_rng(seed)
    log_mu = rng.normal(size=(N, MEMBERS))
    log_mu -= np.log(np.exp(log_mu).sum(axis=1, keepdims=True))
    return Evidence(
        y=rng.normal(size=(N, MEMBERS, 3)),
        S=spd(rng, N, MEMBERS),
        mean=rng.normal(size=(N, 3)),
        whole=spd(rng, N),
        log_mu=log_mu,
        velocity=rng.normal(size=(N, 3)),
        acceleration=rng.normal(size=(N, 3)),
        R=spd(rng, N),
        B=0.1 * spd(rng, N),
        gravity=np.tile([0.0, 0.0, -9.81], (N, 1)),
        dt=rng.uniform(0.01, 0.1, N),
    )


def memory(seed=1):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(N, 3)) for _ in range(2)]
    hidden = rng.normal(size=(N, UNITS)).astype(np.float32)
    return Memory(hidden, *parts, rng.normal(size=N), rng.normal(size=N))


def turned(record, turn):
    """Return a record with every vector and covariance turned."""
    changes = {}
    for name, value in vars(record).items():
        if name in ("S", "whole", "R", "B"):
            changes[name] = turn @ value @ turn.T
        elif name in ("y", "mean", "velocity", "acceleration", "gravity", "last", "usual"):
            changes[name] = value @ turn.T
        else:
            changes[name] = value
    return type(record)(**changes)


def a_turn(seed=5):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def adviser(heads_scale, seed=3):
    rng = np.random.default_rng(seed)
    weights = {
        "W": rng.normal(size=(2 * UNITS, INPUTS)) / 8,
        "U": rng.normal(size=(2 * UNITS, UNITS)) / 3,
        "b": np.zeros(2 * UNITS),
    }
    step = RunningStep(weights, CellDesign("adaptive", tau_min=0.01, tau_max=5.0))
    heads = heads_scale * rng.normal(size=(ANSWERS, UNITS))
    return Adviser(step, heads, np.zeros(ANSWERS))


def test_what_is_heard_does_not_turn_with_the_world():
    turn = a_turn()
    heard = invariants(evidence(), memory())
    assert heard.shape == (N, INPUTS)
    after = invariants(turned(evidence(), turn), turned(memory(), turn))
    np.testing.assert_allclose(after, heard, atol=1e-9)


def test_the_output_turns_with_the_world():
    turn, told, kept = a_turn(), evidence(), memory()
    rng = np.random.default_rng(9)
    advice = read_answers(rng.normal(size=(N, ANSWERS)))
    offsets, x = rng.normal(size=(N, MEMBERS, 9)), rng.normal(size=(N, 9))
    P = np.einsum("nij,nkj->nik", *[rng.normal(size=(N, 9, 9))] * 2) + 0.1 * np.eye(9)
    whole = np.kron(np.eye(3), turn)
    here = move_output(advice, told, kept, offsets, x, P)
    there = move_output(
        advice,
        turned(told, turn),
        turned(kept, turn),
        offsets @ whole.T,
        x @ whole.T,
        whole @ P @ whole.T,
    )
    np.testing.assert_allclose(there[0], here[0] @ whole.T, atol=1e-9)
    np.testing.assert_allclose(there[1], whole @ here[1] @ whole.T, atol=1e-9)


def test_a_move_is_at_most_three_sigma_long():
    rng = np.random.default_rng(2)
    advice = read_answers(1e3 * rng.normal(size=(N, ANSWERS)))
    P = np.tile(0.04 * np.eye(9), (N, 1, 1))
    x, _ = move_output(
        advice, evidence(), memory(), rng.normal(size=(N, 5, 9)), np.zeros((N, 9)), P
    )
    assert (np.linalg.norm(x[:, :3], axis=1) <= 3 * 0.2 + 1e-9).all()
    assert (np.linalg.norm(x[:, :3], axis=1) > 2.9 * 0.2).all()
    assert (x[:, 6:] == 0).all()


def test_heads_of_zeros_change_nothing():
    told, kept = evidence(), memory()
    advice, _ = adviser(0.0)(told, kept)
    for value in vars(advice).values():
        assert (value == 0).all()
    rng = np.random.default_rng(0)
    x, P = rng.normal(size=(N, 9)), np.tile(np.eye(9), (N, 1, 1))
    moved, scaled = move_output(advice, told, kept, rng.normal(size=(N, 5, 9)), x, P)
    assert (moved == x).all()
    assert (scaled == P).all()


def test_answers_stay_within_their_bounds():
    advice = read_answers(np.full((2, ANSWERS), 1e6))
    assert (advice.log_r <= 4).all()
    assert (advice.openness <= 1).all()
    assert (advice.log_q <= 4).all()
    assert (advice.log_scale <= 2).all()
    assert (advice.delta <= 5).all()


def test_the_mean_innovation_forgets_with_time():
    told, kept = evidence(), memory()
    last, usual = remember(told, kept)
    np.testing.assert_array_equal(last, told.mean)
    share = np.exp(-told.dt / 0.15)[:, None]
    np.testing.assert_allclose(usual, share * kept.usual + (1 - share) * told.mean)


def test_weights_come_back_as_they_were_written(tmp_path):
    one = adviser(0.1)
    one.save(tmp_path / "a.safetensors")
    other = Adviser.load(tmp_path / "a.safetensors")
    here, there = one(evidence(), memory()), other(evidence(), memory())
    for a, b in zip(vars(here[0]).values(), vars(there[0]).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError):
        Adviser.load(path)
    adviser(0.1).save(path)
    arrays, notes = read_weights(path)
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="a safetensors file"):
        Adviser.load(path)
    write_weights(path, arrays, {**notes, "version": "other"})
    with pytest.raises(ValueError, match="version must be liquid-filter-1; got other"):
        Adviser.load(path)
    write_weights(path, {**arrays, "heads_bias": arrays["heads_bias"] * np.nan}, notes)
    with pytest.raises(ValueError, match="weights must be finite; got NaN"):
        Adviser.load(path)
    write_weights(path, {k: v for k, v in arrays.items() if k != "heads"}, notes)
    with pytest.raises(ValueError, match="weights must be whole; got no 'heads'"):
        Adviser.load(path)
    write_weights(path, {**arrays, "heads": arrays["heads"][:3]}, notes)
    with pytest.raises(ValueError, match="for 71 inputs and 28 answers"):
        Adviser.load(path)
