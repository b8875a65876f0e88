"""The one form of every benchmark."""

import json
import math

from liquid_mono3d_ros.bench.report import Report, Target, tables


def test_a_target_is_met_on_its_own_side():
    assert Target("p99_ms", 39.0, 40.0).met
    assert not Target("p99_ms", 41.0, 40.0).met
    assert Target("points_per_s", 6000.0, 5000.0, at_most=False).met
    assert not Target("points_per_s", 4000.0, 5000.0, at_most=False).met


def test_an_unknown_value_meets_nothing():
    assert not Target("p99_ms", math.nan, 40.0).met
    assert not Target("rate_hz", math.nan, 40.0, at_most=False).met


def test_the_file_has_the_promised_keys(tmp_path):
    report = Report("demo", [{"method": "dlt", "error_mm": 1.5}], [Target("error_mm", 1.5, 2.0)])
    report.write(tmp_path / "demo.json")
    document = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    assert list(document) == ["bench", "command", "versions", "machine", "rows", "targets"]
    assert document["targets"] == [{"name": "error_mm", "value": 1.5, "target": 2.0, "met": True}]
    assert {"python", "numpy"} <= document["versions"].keys()


def test_tables_show_rows_then_targets():
    report = Report("demo", [{"n": 3}], [Target("error_mm", 3.0, 2.0)])
    assert tables(report.document()) == (
        "| n |\n|---|\n| 3 |\n\n"
        "| name     | value | target | met |\n"
        "|----------|-------|--------|-----|\n"
        "| error_mm | 3     | 2      | no  |"
    )
