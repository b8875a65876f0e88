import numpy as np
import pytest

from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([1.5]),
    "none": np.zeros((0, 4), dtype=np.int64),
}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "cell.safetensors"
    write_weights(path, ARRAYS, {"cell": "fixed"})
    arrays, notes = read_weights(path)
    assert notes == {"cell": "fixed"}
    assert {name: array.dtype for name, array in arrays.items()} == {
        name: array.dtype for name, array in ARRAYS.items()
    }
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("damage", [slice(0, 4), slice(0, -8), slice(8, None)])
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "cell.safetensors"
    write_weights(path, ARRAYS)
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(ValueError, match="path must be a safetensors file; got"):
        read_weights(path)


def test_the_format_is_that_of_the_library(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    write_weights(tmp_path / "ours", ARRAYS)
    theirs = safetensors.load_file(tmp_path / "ours")
    np.testing.assert_array_equal(theirs["a"], ARRAYS["a"])
