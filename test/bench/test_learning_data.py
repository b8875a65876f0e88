import numpy as np
import pytest

from liquid_mono3d_ros.bench import learning_data
from liquid_mono3d_ros.bench.learning_data import RATE, read_ts, vowels

DRAWN = {"sine": learning_data.sine, "motions": learning_data.motions}
TS = """#A comment: with a colon
@problemName Example
@dimensions 2
@classLabel true a e
@data
1,2,3:4,5,6:e
7,8:9,10:a

"""


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package that ships a small set of that name: in class k, frame i holds i and k."""
    folder = tmp_path / "aeon" / "datasets" / "data" / "JapaneseVowels"
    folder.mkdir(parents=True)
    header = "@classLabel true 1 2 3\n@data\n"
    lines = [
        ",".join(map(str, range(length))) + ":" + ",".join([str(k)] * length) + f":{k + 1}\n"
        for length in (10, 20)
        for k in range(3)
    ]
    for part in ("TRAIN", "TEST"):
        (folder / f"JapaneseVowels_{part}.ts").write_text(header + "".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(learning_data, "SHIPS_VOWELS", ("aeon",))
    return folder


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("missing", [0.3, 0.7])
def test_tasks_are_seeded_and_irregular(name, missing):
    drawn = DRAWN[name](np.random.default_rng(3), 20, missing)
    again = DRAWN[name](np.random.default_rng(3), 20, missing)
    for one, other in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert drawn.x.shape[:2] == drawn.dt.shape
    assert (drawn.dt > 0).all()
    assert drawn.dt.std() > 0.01
    assert (drawn.last == drawn.x.shape[1] - 1).all()


@pytest.mark.parametrize(("missing", "kept"), [(0.3, 42), (0.5, 30), (0.7, 18)])
def test_an_exact_share_is_missing(missing, kept):
    drawn = learning_data.motions(np.random.default_rng(0), 5, missing)
    assert drawn.x.shape == (5, kept, 3)
    span = (drawn.dt[:, 1:].sum(axis=1) * RATE).mean()
    assert 0.8 * 60 < span < 60, "what is left still spans the two seconds"


def test_training_and_unseen_sequences_differ():
    trained, unseen = learning_data.TASKS["sine"].draw(0, 0.5)
    assert (len(trained.x), len(unseen.x)) == (2000, 1000)
    assert not np.isin(unseen.x[:, 0, 0], trained.x[:, 0, 0]).any()


def test_the_target_of_a_sine_is_the_next_input():
    drawn = learning_data.sine(np.random.default_rng(0), 4)
    np.testing.assert_array_equal(drawn.target[:, :-1], drawn.x[:, 1:, 0])
    np.testing.assert_allclose(drawn.x[:, :-1, 1], drawn.dt[:, 1:] * RATE)


def test_read_ts(tmp_path):
    path = tmp_path / "example.ts"
    path.write_text(TS)
    series, classes = read_ts(path)
    np.testing.assert_array_equal(series[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(series[1], [[7, 9], [8, 10]])
    assert classes.tolist() == [1, 0]


def test_a_class_that_is_not_in_the_header_is_refused(tmp_path):
    path = tmp_path / "example.ts"
    path.write_text(TS + "1:2:i\n")
    with pytest.raises(ValueError, match=r"class must be one of .'a', 'e'.; got 'i'"):
        read_ts(path)


def test_vowels_lose_a_share_of_each_series(shipped):
    trained, unseen = vowels(0, 0.7)
    assert trained.target.tolist() == [0, 1, 2, 0, 1, 2]
    assert trained.last.tolist() == [2, 2, 2, 5, 5, 5]
    assert trained.x.shape == (6, 6, 2)
    assert (trained.x[:3, 3:] == 0).all(), "filled up"
    assert (trained.dt[:3, 3:] == 0).all()
    own = np.arange(6)[None] <= trained.last[:, None]
    np.testing.assert_allclose(trained.x[own].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(trained.x[own].std(axis=0), 1)
    # A frame holds its number: time and value go together, whichever frames are missing.
    for n, end in enumerate(trained.last):
        steps = np.diff(trained.x[n, : end + 1, 0])
        np.testing.assert_allclose(steps / trained.dt[n, 1 : end + 1], steps[0] / trained.dt[n, 1])
    assert not np.array_equal(trained.dt, unseen.dt)


def test_vowels_are_seeded(shipped):
    for one, other in zip(vowels(1, 0.5), vowels(1, 0.5), strict=True):
        np.testing.assert_array_equal(one.dt, other.dt)
    assert not np.array_equal(vowels(1, 0.5)[0].dt, vowels(2, 0.5)[0].dt)


def test_vowels_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(learning_data, "SHIPS_VOWELS", ("no_such_package",))
    assert learning_data.vowels_folder() is None
    with pytest.raises(FileNotFoundError, match="JapaneseVowels must be installed; got none"):
        vowels(0, 0.5)
