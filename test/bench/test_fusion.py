import pytest

from liquid_mono3d_ros.bench.fusion import measure, row_of, targets, wilson


def test_the_interval_is_wilsons():
    low, high = wilson(0, 10)
    assert (low, round(high, 2)) == (pytest.approx(0.0), 27.75)
    assert wilson(0, 0) == (0.0, 100.0)


def test_what_counts_is_the_margin_over_the_better_stream():
    named = {"system": "gru", "control": "none", "clocks": "late", "attribute": "size"}
    rows = [row_of(named, 900, 1000), row_of({**named, "control": "shuffled"}, 350, 1000)]
    limits = [
        {"attribute": "size", "image_ceiling_percent": 60.0}
        | {"3d_ceiling_percent": 50.0, "chance_ceiling_percent": 34.0}
    ]
    found = {one.name: one for one in targets(rows, limits)}
    assert found["size_over_ceilings_points"].value == pytest.approx(30.0)
    assert found["size_over_ceilings_points"].met
    assert found["shuffled_over_chance_points"].met
    assert found["fewest_n"].value == 1000


def test_readers_are_measured(tmp_path):
    torch = pytest.importorskip("torch")
    from liquid_mono3d_ros.fusion.reader import FusedReader, save_reader
    from liquid_mono3d_ros.train.fusion_data import slots
    from liquid_mono3d_ros.video.encoder import VideoEncoder, save_video

    with pytest.raises(FileNotFoundError, match="weights must be a folder of readers; got"):
        measure(weights=tmp_path)
    torch.manual_seed(0)
    encoder = VideoEncoder()
    save_video(tmp_path / "video.safetensors", {"encoder": encoder}, encoder.design, {})
    reader = FusedReader.of_size("liquid", 16, 12_000, slots())
    save_reader(tmp_path / "fusion-liquid-late.safetensors", reader, {})
    report = measure(weights=tmp_path, video=tmp_path / "video.safetensors", scenes=4, cues=400)
    measured = [row for row in report.rows if "system" in row]
    assert len(measured) == len(slots()) * 2 * 3  # late and shifted, three controls
    assert {row["control"] for row in measured} == {"none", "shuffled", "zeroed"}
    assert all(
        row["low_percent"] <= row["right_percent"] <= row["high_percent"]
        for row in measured
        if row["n"]
    )
