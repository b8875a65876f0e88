"""What a filter is made of: the settings, and the models, rules and gates they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.lifecycle import LifeRules
from liquid_mono3d_ros.liquid.measurement import chi2_gate
from liquid_mono3d_ros.liquid.motion import MotionBank
from liquid_mono3d_ros.liquid.native_bank import NativeBank, load_bank
from liquid_mono3d_ros.records import nanoseconds
from liquid_mono3d_ros.settings import Settings, setting

GRAVITY = 9.81
"""m/s²."""


@dataclass(frozen=True)
class Design:
    """What a filter is made of, worked out once from its settings.

    Attributes:
        experts: Names of the experts, as the bank numbers them.
        bank: The motion models.
        rules: When tracks are believed and given up.
        gate: Numbers in a measurement → largest squared distance that is no surprise.
        speed_sigma: Standard deviation of a newborn track's velocity, each component, m/s.
        adviser: The network that leads the liquid expert; None without one.
        watched: Whether what goes on inside the network is worked out for a reader.
        kernel: The step in C; None without it.
    """

    experts: tuple[str, ...]
    bank: MotionBank
    rules: LifeRules
    gate: dict[int, float]
    speed_sigma: float
    adviser: Adviser | None = None
    watched: bool = False
    kernel: NativeBank | None = None

    @property
    def units(self) -> int:
        """Length of the network's hidden state."""
        return 0 if self.adviser is None else self.adviser.units

    @property
    def led(self) -> int:
        """Number of the expert that the network leads; −1 without one."""
        return -1 if self.adviser is None else self.experts.index("liquid")

    def falling(self, gravity: Array) -> Design:
        """Return the same for another gravity, (3,) m/s²."""
        design = replace(self, bank=replace(self.bank, gravity=gravity))
        return design.with_kernel() if self.kernel else design

    def with_kernel(self) -> Design:
        """Return the same with the step in C, where the library is built."""
        kernel = load_bank(self.bank, self.gate[3], self.adviser, self.led)
        return replace(self, kernel=kernel)


@dataclass(frozen=True)
class FilterSettings(Settings):
    """How points become trajectories; defaults for objects in a room, 0–10 m/s, 10–120 Hz."""

    filter: str = setting(
        "imm",
        "cv: one constant-velocity model; imm: five models side by side; liquid: the five, and "
        "the five led by a liquid network, each believed as it foretells",
        choices=("liquid", "imm", "cv"),
    )
    weights: str = setting(
        "", "Path of the network's weights for filter liquid; empty: those of the package"
    )
    gravity: tuple[float, ...] = setting(
        (),
        "Acceleration of falling objects in the world frame, zeros when unknown; empty: 9.81 down "
        "z, unless the frame is an optical one",
        unit="m/s^2",
        bounds=(-1e3, 1e3),
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
    confirm_by: str = setting(
        "count",
        "count: so many measurements; persistence: the probability that the track lasts, from the "
        "end of the window on an even chance and so many measurements; doubtful tracks wait",
        choices=("count", "persistence"),
    )
    persistence_threshold: float = setting(
        0.8, "A track is confirmed by persistence that lasts so probably", bounds=(0.5, 0.9999)
    )
    persistence_weights: str = setting(
        "", "Path of the weights that judge which tracks last; empty: those of the package"
    )
    coast_time: float = setting(
        1.0, "A track not measured for longer is deleted", unit="s", bounds=(0.0, 30.0)
    )
    late_window: float = setting(
        0.5,
        "Points at most so much older than the newest are put where they belong, and what came "
        "after is filtered again; older still, the clock jumped; 0: none are late",
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
    hard_noise: float = setting(
        1000.0, "White jerk of hard turns", unit="m^2/s^5", bounds=(1e-9, 1e9)
    )
    abrupt_noise: float = setting(
        100.0, "White acceleration of abrupt motion", unit="m^2/s^3", bounds=(1e-9, 1e9)
    )
    falling_noise: float = setting(
        0.1, "White acceleration of falling motion", unit="m^2/s^3", bounds=(1e-9, 1e9)
    )
    gate_abrupt: bool = setting(True, "Whether an outlier weighs less in abrupt motion too")
    acceleration_sigma: float = setting(
        5.0, "Acceleration with which a turn may set in", unit="m/s^2", bounds=(1e-6, 1e6)
    )
    share: tuple[float, ...] = setting(
        (0.5, 0.25, 0.05, 0.1, 0.1),
        "Long-run share of steady, turning, hard, abrupt, falling motion",
        bounds=(1e-3, 1.0),
    )
    switch_rate: float = setting(
        1.0, "How often an object draws its motion anew from share", unit="1/s", bounds=(1e-6, 1e3)
    )
    probability_floor: float = setting(
        1e-3, "No model is believed less, so that each is ready", bounds=(1e-12, 0.1)
    )
    bias_time: float = setting(
        5.0,
        "How fast calibration and clock errors may change: their time constant",
        unit="s",
        bounds=(1e-3, 1e6),
    )
    hedge_rate: float = setting(
        1.0,
        "How often the experts of the liquid filter are weighed anew",
        unit="1/s",
        bounds=(0.0, 1e3),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.share) != 5:
            cure = "Name one for each model."
            raise ValueError(complain("share", "five numbers", str(len(self.share)), cure))
        if len(self.gravity) not in (0, 3):
            cure = "For a z-up world: [0, 0, -9.81]."
            got = f"{len(self.gravity)} numbers"
            raise ValueError(complain("gravity", "3 numbers or empty", got, cure))
        if self.confirm_window < self.confirm_measurements:
            rule = f"at least confirm_measurements = {self.confirm_measurements}"
            cure = "Enlarge it, or no track is ever confirmed."
            raise ValueError(complain("confirm_window", rule, str(self.confirm_window), cure))


EXPERTS = {"cv": ("cv",), "imm": ("imm",), "liquid": ("imm", "liquid")}
"""Filter → its experts; each is a bank of its own. Abrupt motion alone, as a third, cost 4 %."""

PRIOR = {"cv": 1.0, "imm": 0.05, "liquid": 0.9, "abrupt": 0.05}
"""Weight of each expert before it has foretold anything: the others are there as a guard."""


def design_filter(
    settings: FilterSettings,
    experts: tuple[str, ...] = (),
    adviser: Adviser | None = None,
    *,
    use_native: bool = True,
) -> Design:
    """Work out the models, rules and gates that settings ask for.

    Args:
        settings: Of the filter.
        experts: Names out of cv, imm, liquid, abrupt; by default those of the filter.
        adviser: Leads the liquid expert, which is as the imm without it. The numbers of the bank
            that it was trained over stand for those of the settings.
        use_native: Whether to take the library where it is built.
    """
    experts = experts or EXPERTS[settings.filter]
    if adviser is not None:
        settings = replace(settings, **adviser.bank)
    # What only reads the bank's output needs no bank of its own beside one that is the same.
    reads = adviser is not None and adviser.is_open and len(experts) > 1
    guests = int(reads and (experts[0], experts[-1]) == ("imm", "liquid"))
    models = [_models(settings, name) for name in experts[: len(experts) - guests]]
    accelerates, falls, gated, noise, share = (
        np.concatenate([part[k] for part in models]) for k in range(5)
    )
    bank = MotionBank(
        accelerates.astype(bool),
        noise,
        share,
        settings.switch_rate,
        settings.acceleration_sigma,
        settings.probability_floor,
        falls.astype(bool),
        gated.astype(bool),
        np.repeat(np.arange(len(models)), [len(part[0]) for part in models]),
        np.array(settings.gravity or (0.0, 0.0, 0.0)),
        settings.bias_time,
        settings.hedge_rate,
        np.array([PRIOR[name] for name in experts]) / sum(PRIOR[name] for name in experts),
        guests,
    )
    rules = LifeRules(
        settings.confirm_measurements,
        settings.confirm_window,
        nanoseconds(settings.coast_time),
        settings.rejections_before_restart,
        settings.persistence_threshold if settings.confirm_by == "persistence" else 0.0,
    )
    gate = {d: chi2_gate(settings.gate_probability, d) for d in (2, 3)}
    design = Design(experts, bank, rules, gate, settings.initial_speed, adviser)
    return design.with_kernel() if use_native else design


def gravity_in(settings: FilterSettings, frame_id: str) -> Array:
    """Return the acceleration of falling objects in a frame, (3,) m/s²; zero when unknown.

    Convention: z points up in every frame but the optical ones of cameras (REP 103).
    """
    if settings.gravity:
        return np.array(settings.gravity)
    known = bool(frame_id) and not frame_id.endswith("_optical_frame")
    return np.array([0.0, 0.0, -GRAVITY if known else 0.0])


def _models(settings: FilterSettings, expert: str) -> tuple[Sequence[float], ...]:
    """Return accelerates, falls, gated, noise and share of an expert's models."""
    wide = settings.gate_abrupt
    if expert == "cv":
        return [False], [False], [True], [settings.cv_noise], [1.0]
    if expert == "abrupt":
        return [False], [False], [True], [settings.abrupt_noise], [1.0]  # or outliers decide
    noise = [
        settings.steady_noise,
        settings.turning_noise,
        settings.hard_noise,
        settings.abrupt_noise,
        settings.falling_noise,
    ]
    share = [part / sum(settings.share) for part in settings.share]
    accelerates, falls = [False, True, True, False, False], [False] * 4 + [True]
    return accelerates, falls, [True, True, True, wide, True], noise, share
