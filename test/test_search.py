import numpy as np
import pytest

from liquid_mono3d_ros.search import search


def test_search_finds_a_minimum_on_the_logarithmic_scale():
    space = {"a": (1e-3, 1e3, 1.0), "b": (1e-3, 1e3, 1.0)}

    def away(values):
        return (np.log(values["a"]) - 3.0) ** 2 + (np.log(values["b"]) + 2.0) ** 2

    found, value = search(space, away)
    assert value < 0.01
    assert found["a"] == pytest.approx(np.e**3, rel=0.1)
    assert search(space, away) == (found, value), "seeded"


def test_search_counts_its_evaluations_and_begins_where_told():
    asked = []

    def count(values):
        asked.append(values["a"])
        return values["a"]

    search({"a": (1.0, 9.0, 4.0)}, count, evaluations=17)
    assert len(asked) == 17
    assert asked[0] == pytest.approx(4.0)
    assert min(asked) >= 1.0 - 1e-9
    assert max(asked) <= 9.0 + 1e-9
