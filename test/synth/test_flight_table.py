"""The record of flights: saved, read, taken, joined, turned."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.flight_table import Flights, joined
from liquid_mono3d_ros.synth.flights import Conditions, draw_flights


@pytest.fixture(scope="module")
def drawn():
    return draw_flights(Conditions(frames=10, dropout=0.2, calibration_deg=0.1), 20, seed=8)


def test_saved_and_read_back(tmp_path, drawn):
    path = tmp_path / "flights.npz"
    drawn.save(path)
    assert Flights.load(path).digest() == drawn.digest()
    with pytest.raises(FileNotFoundError, match="flights must be an existing file"):
        Flights.load(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"no flights")
    with pytest.raises(ValueError, match=r"broken\.npz must be a file of flights"):
        Flights.load(tmp_path / "broken.npz")
    np.savez(tmp_path / "old.npz", **{**vars(drawn), "version": np.array("0")})
    with pytest.raises(ValueError, match=r"old\.npz must be of version 1; got 0"):
        Flights.load(tmp_path / "old.npz")


def test_rows_are_taken_and_joined(drawn):
    odd, even = drawn.take(np.arange(1, 20, 2)), drawn.take(np.arange(20) % 2 == 0)
    assert len(odd) == len(even) == 10
    both = joined([even, odd])
    np.testing.assert_array_equal(both.z[10:], drawn.z[1::2])
    with pytest.raises(ValueError, match="seen must be of shape"):
        Flights(**{**vars(drawn), "seen": drawn.seen[:, 1:]})


def test_turned_flights_keep_their_distances(drawn):
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3, 3)))
    turned = drawn.turned(q)

    def distances(flights):
        error = (flights.z - flights.xyz)[flights.seen]
        covariance = (flights.R + flights.B)[flights.seen]
        return (error * np.linalg.solve(covariance, error[..., None])[..., 0]).sum(axis=1)

    np.testing.assert_allclose(distances(turned), distances(drawn), rtol=1e-6)
    np.testing.assert_array_equal(turned.seen, drawn.seen)
    assert (turned.R[~turned.seen] == np.eye(3)).all()
    back = turned.turned(q.swapaxes(1, 2))
    for name in ("z", "xyz", "velocity", "gravity"):
        np.testing.assert_allclose(getattr(back, name), getattr(drawn, name), atol=1e-12)
