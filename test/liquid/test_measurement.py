import numpy as np
import pytest

from liquid_mono3d_ros.liquid.measurement import (
    SMALLEST_SIGMA,
    Measurement,
    chi2_gate,
    measure_across_ray,
    measure_position,
    sift,
)

NAN3 = np.full((1, 3), np.nan)


@pytest.mark.parametrize(
    ("probability", "degrees", "distance"),
    [(0.95, 3, 7.8147), (0.99, 3, 11.3449), (0.95, 2, 5.9915), (0.999, 2, 13.8155)],
)
def test_chi2_gate_known_values(probability, degrees, distance):
    assert chi2_gate(probability, degrees) == pytest.approx(distance, abs=1e-4)


def asymmetric():
    covariance = np.eye(3)[None].copy()
    covariance[0, 0, 1] = 0.5
    return covariance


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("not_finite", {"xyz": NAN3}),
        ("not_finite", {"xyz": np.array([[0, np.inf, 0]])}),
        ("not_finite", {"covariance": np.full((1, 3, 3), np.nan)}),
        ("not_finite", {"covariance": np.full((1, 3, 3), np.inf)}),
        ("not_finite", {"systematic_covariance": np.full((1, 3, 3), np.inf)}),
        ("out_of_range", {"xyz": np.array([[1e9, 0, 0]])}),
        ("out_of_range", {"covariance": np.eye(3)[None] * 1e300}),
        ("covariance_not_positive", {"covariance": np.diag([1.0, -1, 1])[None]}),
        ("covariance_not_positive", {"covariance": np.ones((1, 3, 3)) - 0.5 * np.eye(3)}),
        ("covariance_not_positive", {"covariance": asymmetric()}),
        ("covariance_not_positive", {"systematic_covariance": -np.eye(3)[None]}),
        ("unknown_kind", {"kind": np.zeros(1, np.uint8)}),
    ],
)
def test_a_faulty_point_is_refused_by_name(make_points, reason, fields):
    usable, refused = sift(make_points(0, **{"xyz": [[0, 0, 0]], **fields}))
    assert not usable.any()
    assert refused == {reason: 1}


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("not_finite", {"ray_origin": NAN3}),
        ("not_finite", {"ray_covariance": np.full((1, 2, 2), np.inf)}),
        ("covariance_not_positive", {"ray_covariance": -np.eye(2)[None]}),
        ("ray_not_unit", {"ray_direction": np.array([[0, 0, 2.0]])}),
        ("out_of_range", {"ray_direction": np.array([[0, 0, 1e300]])}),
    ],
)
def test_a_faulty_bearing_is_refused_by_name(make_points, reason, fields):
    usable, refused = sift(make_points(0, rays=([0, 0, 0], [0, 0, 1]), **fields))
    assert not usable.any()
    assert refused == {reason: 1}


def test_one_faulty_point_spares_the_others(make_points):
    xyz = np.array([[0, 0, 0], [np.nan, 0, 0], [1, 1, 1], [2, 2, 2]])
    usable, refused = sift(make_points(0, xyz, ids=[4, 5, 6, 4]))
    assert usable.tolist() == [True, False, True, False]
    assert refused == {"duplicate_id": 1, "not_finite": 1}


def test_no_points(make_points):
    usable, refused = sift(make_points(0))
    assert len(usable) == 0
    assert not refused


def test_white_and_slow_errors_are_kept_apart(make_points):
    systematic = np.stack([np.eye(3) * 4.0, np.full((3, 3), np.nan)])
    points = make_points(0, np.zeros((2, 3)), sigma=1.0, systematic_covariance=systematic)
    measurement = measure_position(points, np.array([0, 1]))
    np.testing.assert_allclose(measurement.R, np.tile(np.eye(3), (2, 1, 1)))
    np.testing.assert_allclose(measurement.B, np.eye(3) * np.array([4.0, 0.0])[:, None, None])
    np.testing.assert_allclose(measurement.root[0], 2 * np.eye(3))
    assert measure_position(points, np.array([1])).B.size == 0


def test_convention_the_root_of_a_slow_error_is_symmetric_and_turns_with_the_world():
    rng = np.random.default_rng(0)
    A, turn = rng.normal(size=(3, 2)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    B = A @ A.T  # singular
    both = np.stack([B, turn @ B @ turn.T])
    root = Measurement(np.zeros((2, 3)), both, both, both).root
    np.testing.assert_allclose(root, root.swapaxes(1, 2), atol=1e-7)
    np.testing.assert_allclose(root @ root, both, atol=1e-12)
    np.testing.assert_allclose(root[1], turn @ root[0] @ turn.T, atol=1e-7)


def test_zero_noise_stays_invertible(make_points):
    R = measure_position(make_points(0, [[0, 0, 0]], sigma=0.0), np.array([0])).R
    np.testing.assert_allclose(R[0], SMALLEST_SIGMA**2 * np.eye(3))


@pytest.mark.parametrize(
    "direction", [[0, 0, 1], [-1, 0, 0], [0.6, 0, 0.8], [0.5, -0.5, 0.5**0.5]]
)
def test_convention_a_bearing_measures_across_its_ray_at_the_predicted_range(
    make_points, direction
):
    origin, direction = np.array([1.0, 2, 3]), np.array(direction, float)
    points = make_points(0, rays=(origin, direction), sigma=0.01)
    measurement = measure_across_ray(points, (origin + 5 * direction)[None], np.array([0]))
    H = measurement.H[0]
    np.testing.assert_allclose(H @ direction, 0, atol=1e-12)
    np.testing.assert_allclose(H @ H.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(measurement.R[0], 0.05**2 * np.eye(2), rtol=1e-6)
    on_ray = origin + 7 * direction
    np.testing.assert_allclose(H @ on_ray - measurement.z[0], 0, atol=1e-12)
