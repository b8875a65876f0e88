import numpy as np
from scenes import room_rig

from liquid_mono3d_ros.geometry.agreement import locate
from liquid_mono3d_ros.geometry.triangulation import Views

XYZ = np.array([[0.3, -0.2, 1.1]])


def look(rig, shifts):
    """What the cameras see of ``XYZ``, each pixel moved by its shift, (2,) px."""
    cameras = list(rig.cameras.values())
    uv = [c.project(XYZ) + shift for c, shift in zip(cameras, shifts, strict=True)]
    pairs = [c.undistort_with_jacobian(pixel) for c, pixel in zip(cameras, uv, strict=True)]
    C = len(cameras)
    return Views(
        P=np.array([c.P for c in cameras]),
        uv=np.array([pair[0] for pair in pairs]),
        seen=np.ones((C, 1), dtype=bool),
        covariance_px=np.tile(np.eye(2), (C, 1, 1, 1)),
        scale=np.array([pair[1] for pair in pairs]),
    )


def test_two_wrong_views_of_five_are_left_out_together():
    shifts = [(0, 0), (90, 40), (0, 0), (0, 0), (-30, 120)]
    located = locate(look(room_rig(5), shifts), np.full((5, 1), 4.0))
    np.testing.assert_array_equal(located.used[:, 0], [True, False, True, True, False])
    np.testing.assert_allclose(located.xyz, XYZ, atol=1e-6)
    np.testing.assert_allclose(located.residual_px[1, 0], [90, 40], atol=1e-3)


def test_the_largest_set_that_agrees_is_taken():
    # Cameras 4 and 5 agree with each other on another point; three outvote two.
    rig = room_rig(5)
    other = [c.project(XYZ + 0.4) - c.project(XYZ) for c in rig.cameras.values()]
    located = locate(look(rig, [*[(0, 0)] * 3, *other[3:]]), np.full((5, 1), 4.0))
    np.testing.assert_array_equal(located.used[:, 0], [True, True, True, False, False])


def test_two_pairs_that_tell_different_stories_give_nothing():
    rig = room_rig(4)
    other = [c.project(XYZ + 0.4) - c.project(XYZ) for c in rig.cameras.values()]
    located = locate(look(rig, [(0, 0), (0, 0), *other[2:]]), np.full((4, 1), 4.0))
    assert np.isnan(located.xyz).all()
    assert not located.used.any()


def test_one_pair_that_agrees_is_believed_when_no_other_does():
    shifts = [(0, 0), (0, 0), (150, 170), (-160, 140)]
    located = locate(look(room_rig(4), shifts), np.full((4, 1), 4.0))
    np.testing.assert_array_equal(located.used[:, 0], [True, True, False, False])
    np.testing.assert_allclose(located.xyz, XYZ, atol=1e-6)
