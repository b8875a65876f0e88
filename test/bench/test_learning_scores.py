import numpy as np
import pytest

from liquid_mono3d_ros.bench.learning_scores import compare


def scored(model, scores, task="sine"):
    mean = float(np.mean(scores))
    return {"task": task, "missing_percent": 50, "model": model, "mean": mean, "each_seed": scores}


def test_a_difference_inside_the_spread_is_no_win():
    rows = [
        scored("gru", [3.0, 3.2, 2.8]),
        scored("lstm", [2.0, 2.2, 1.8]),
        scored("gru", [0.1, 0.1, 0.1], task="motions"),
        scored("fixed", [1.0, 1.3, 0.8]),
        scored("cfc", [1.9, 2.3, 1.7]),
        scored("ltc", [9.0, 9.1, 8.8]),
    ]
    found = {row["model"]: row for row in compare(rows)}
    assert {name: row["verdict"] for name, row in found.items()} == {
        "fixed": "better",
        "cfc": "undecided",
        "ltc": "worse",
    }
    assert {row["best_baseline"] for row in found.values()} == {"lstm"}
    assert found["fixed"]["difference"] == pytest.approx(-29 / 30)
    # Student's quantile of two degrees of freedom, 4.303, times the deviation over root three.
    spread = np.std([-1.0, -0.9, -1.0], ddof=1)
    assert found["fixed"]["interval_95_plus_minus"] == pytest.approx(
        4.3027 * spread / 3**0.5, rel=1e-4
    )


def test_one_seed_decides_nothing():
    assert compare([scored("gru", [3.0]), scored("cfc", [1.0])]) == []
