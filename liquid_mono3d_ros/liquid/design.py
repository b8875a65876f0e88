"""What a filter is made of: the settings, and the models, rules and gates they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.lifecycle import LifeRules
from liquid_mono3d_ros.liquid.measurement import chi2_gate
from liquid_mono3d_ros.liquid.motion import MotionBank
from liquid_mono3d_ros.records import nanoseconds
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class Design:
    """What a filter is made of, worked out once from its settings.

    Attributes:
        bank: The motion models.
        rules: When tracks are believed and given up.
        gate: Numbers in a measurement → largest squared distance that is no surprise.
        speed_sigma: Standard deviation of a newborn track's velocity, each component, m/s.
    """

    bank: MotionBank
    rules: LifeRules
    gate: dict[int, float]
    speed_sigma: float


@dataclass(frozen=True)
class FilterSettings(Settings):
    """How points become trajectories; defaults for objects in a room, 0–10 m/s, 10–120 Hz."""

    filter: str = setting(
        "imm",
        "cv: one constant-velocity model; imm: steady, turning and abrupt motion side by side",
        choices=("imm", "cv"),
    )
    gate_probability: float = setting(
        0.999,
        "A right measurement passes the gate so often; outside, its weight falls with distance",
        bounds=(0.5, 1 - 1e-9),
    )
    rejections_before_restart: int = setting(
        5, "Gated measurements in a row until the track begins anew at the last", bounds=(1, 1000)
    )
    confirm_measurements: int = setting(
        3, "Accepted measurements that confirm a track", bounds=(1, 5)
    )
    confirm_window: int = setting(
        5, "Updates from birth in which they must come, else the track is deleted", bounds=(1, 100)
    )
    coast_time: float = setting(
        1.0, "A track not measured for longer is deleted", unit="s", bounds=(0.0, 30.0)
    )
    late_window: float = setting(
        0.5,
        "Points at most so much older than the newest are dropped; older still, the clock jumped",
        unit="s",
        bounds=(0.0, 60.0),
    )
    horizon: float = setting(
        0.5, "How far the path is predicted; 0 for no predictions", unit="s", bounds=(0.0, 30.0)
    )
    prediction_step: float = setting(
        0.1, "Time between two predictions", unit="s", bounds=(0.001, 30.0)
    )
    lag: int = setting(
        5,
        "Updates after which a state is smoothed and published again; 0 for never",
        bounds=(0, 200),
    )
    initial_speed: float = setting(
        3.0,
        "Standard deviation of a new track's velocity, each axis",
        unit="m/s",
        bounds=(0.01, 1e3),
    )
    cv_noise: float = setting(
        10.0, "White acceleration of the cv filter", unit="m^2/s^3", bounds=(1e-9, 1e9)
    )
    steady_noise: float = setting(
        0.03, "White acceleration of steady motion", unit="m^2/s^3", bounds=(1e-9, 1e9)
    )
    turning_noise: float = setting(
        30.0, "White jerk of turning motion", unit="m^2/s^5", bounds=(1e-9, 1e9)
    )
    abrupt_noise: float = setting(
        100.0, "White acceleration of abrupt motion", unit="m^2/s^3", bounds=(1e-9, 1e9)
    )
    acceleration_sigma: float = setting(
        5.0, "Acceleration with which a turn may set in", unit="m/s^2", bounds=(1e-6, 1e6)
    )
    share: tuple[float, ...] = setting(
        (0.6, 0.3, 0.1), "Long-run share of steady, turning, abrupt motion", bounds=(1e-3, 1.0)
    )
    switch_rate: float = setting(
        1.0, "How often an object draws its motion anew from share", unit="1/s", bounds=(1e-6, 1e3)
    )
    probability_floor: float = setting(
        1e-3, "No model is believed less, so that each is ready", bounds=(1e-12, 0.1)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.share) != 3:
            raise ValueError(
                complain(
                    "share", "three numbers", str(len(self.share)), "Name one for each model."
                )
            )
        if self.confirm_window < self.confirm_measurements:
            rule = f"at least confirm_measurements = {self.confirm_measurements}"
            cure = "Enlarge it, or no track is ever confirmed."
            raise ValueError(complain("confirm_window", rule, str(self.confirm_window), cure))


def design_filter(settings: FilterSettings) -> Design:
    """Work out the models, rules and gates that settings ask for."""
    if settings.filter == "cv":
        accelerates, noise, share = [False], [settings.cv_noise], [1.0]
    else:
        accelerates = [False, True, False]
        noise = [settings.steady_noise, settings.turning_noise, settings.abrupt_noise]
        share = [part / sum(settings.share) for part in settings.share]
    bank = MotionBank(
        np.array(accelerates),
        np.array(noise),
        np.array(share),
        settings.switch_rate,
        settings.acceleration_sigma,
        settings.probability_floor,
    )
    rules = LifeRules(
        settings.confirm_measurements,
        settings.confirm_window,
        nanoseconds(settings.coast_time),
        settings.rejections_before_restart,
    )
    gate = {d: chi2_gate(settings.gate_probability, d) for d in (2, 3)}
    return Design(bank, rules, gate, settings.initial_speed)
