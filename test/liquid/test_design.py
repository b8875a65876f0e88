import numpy as np
import pytest

from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter, gravity_in


def test_the_imm_has_five_models_in_order():
    bank = design_filter(FilterSettings()).bank
    settings = FilterSettings()
    assert bank.accelerates.tolist() == [False, True, True, False, False]
    assert bank.falls.tolist() == [False, False, False, False, True]
    assert bank.noise.tolist() == [
        settings.steady_noise,
        settings.turning_noise,
        settings.hard_noise,
        settings.abrupt_noise,
        settings.falling_noise,
    ]
    np.testing.assert_allclose(bank.share.sum(), 1.0)


def test_experts_are_banks_side_by_side():
    assert design_filter(FilterSettings(filter="liquid")).experts == ("imm", "liquid")
    settings, experts = FilterSettings(gate_abrupt=False), ("imm", "liquid", "abrupt")
    design = design_filter(settings, experts)
    bank = design.bank
    assert [own.stop - own.start for own in bank.spans] == [5, 5, 1]
    for name in ("accelerates", "falls", "noise", "share", "gated"):
        values = getattr(bank, name)
        np.testing.assert_array_equal(values[:5], values[5:10])
    assert bank.gated.tolist() == [True, True, True, False, True] * 2 + [True]
    assert bank.noise[10] == FilterSettings().abrupt_noise
    np.testing.assert_allclose(bank.prior, [0.05, 0.9, 0.05])


@pytest.mark.parametrize(
    ("frame_id", "expected"),
    [("world", -9.81), ("map", -9.81), ("left_optical_frame", 0.0), ("", 0.0)],
)
def test_convention_z_points_up_but_in_optical_frames(frame_id, expected):
    np.testing.assert_array_equal(gravity_in(FilterSettings(), frame_id), [0, 0, expected])
    told = FilterSettings(gravity=(1, 2, 3))
    np.testing.assert_array_equal(gravity_in(told, frame_id), [1, 2, 3])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"share": (0.5, 0.5)}, "share must be five numbers; got 2"),
        ({"gravity": (9.81,)}, "gravity must be 3 numbers or empty; got 1 numbers"),
        ({"filter": "best"}, "filter must be one of liquid, imm, cv"),
    ],
)
def test_faulty_settings_are_named(values, words):
    with pytest.raises(ValueError, match=words):
        FilterSettings(**values)


def test_another_gravity_makes_another_bank():
    design = design_filter(FilterSettings())
    assert design.falling(np.array([0, 0, -1.0])).bank.gravity[2] == -1
    assert design.bank.gravity[2] == 0
