import math
from dataclasses import dataclass

import pytest

from liquid_mono3d_ros.settings import Settings, group, setting


@dataclass(frozen=True)
class Gate(Settings):
    probability: float = setting(0.99, "how often a right one passes", bounds=(0.5, 1.0))
    sizes: tuple[float, ...] = setting((), "allowed sizes", unit="px", bounds=(0.0, 100.0))


@dataclass(frozen=True)
class Stage(Settings):
    mode: str = setting("slow", "how it runs", choices=("slow", "fast"))
    count: int = setting(3, "how many", bounds=(1, 10), live=True)
    names: tuple[str, ...] = setting((), "of the inputs")
    enabled: bool = setting(True, "whether it runs")
    gate: Gate = group(Gate)


def test_leaves_are_in_order_with_dotted_names():
    names = [leaf.name for leaf in Stage.leaves()]
    assert names == ["mode", "count", "names", "enabled", "gate.probability", "gate.sizes"]


def test_leaves_say_everything_that_was_declared():
    leaves = {leaf.name: leaf for leaf in Stage.leaves()}
    count, sizes = leaves["count"], leaves["gate.sizes"]
    assert (count.default, count.reason, count.bounds, count.live) == (
        3,
        "how many",
        (1, 10),
        True,
    )
    assert (sizes.default, sizes.unit, sizes.live, sizes.words) == ((), "px", False, False)
    assert leaves["mode"].choices == ("slow", "fast")
    assert leaves["names"].words


def test_flat_values_make_the_record_and_come_back():
    stage = Stage.from_flat({"count": 5, "gate.sizes": [1, 2.5], "names": ["left"]})
    assert (stage.count, stage.gate.sizes, stage.names) == (5, (1.0, 2.5), ("left",))
    assert (stage.mode, stage.gate.probability) == ("slow", 0.99)
    assert Stage.from_flat(stage.flat()) == stage


def test_a_whole_number_is_a_float_but_not_the_other_way():
    assert type(Gate(probability=1).probability) is float
    with pytest.raises(TypeError, match=r"^count must be a int; got 2\.0 \(float\)"):
        Stage(count=2.0)
    with pytest.raises(TypeError, match=r"^count must be a int; got True \(bool\)"):
        Stage(count=True)


def test_unknown_names_are_refused():
    with pytest.raises(
        ValueError, match=r"^gate\.probabilty must be one of .*got an unknown name"
    ):
        Stage.from_flat({"gate.probabilty": 0.9})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": 11}, r"^count must be between 1 and 10; got 11\."),
        ({"mode": "warp"}, r"^mode must be one of slow, fast; got 'warp'\."),
        ({"gate.probability": 0.1}, r"^gate\.probability must be between 0\.5 and 1; got 0\.1\."),
        ({"gate.sizes": [1.0, 200.0]}, r"^gate\.sizes must be between 0 and 100 px; got 200\.0\."),
        ({"gate.probability": math.nan}, r"^gate\.probability must be a number; got nan\."),
    ],
)
def test_values_that_break_their_declaration_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Stage.from_flat(values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"gate.probability": "high"}, r"^gate\.probability must be a float; got 'high' \(str\)"),
        ({"names": [1]}, r"^names must be a str; got 1 \(int\)"),
        ({"names": "left"}, r"^names must be a tuple; got 'left' \(str\)"),
    ],
)
def test_values_of_another_kind_are_refused(values, sentence):
    with pytest.raises(TypeError, match=sentence):
        Stage.from_flat(values)


def test_records_are_checked_where_they_are_made():
    with pytest.raises(ValueError, match="probability must be between"):
        Gate(probability=2.0)
