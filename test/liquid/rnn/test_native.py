import subprocess
import sys

import numpy as np
import pytest

from liquid_mono3d_ros.liquid.rnn import native

FUNCTIONS = {
    "exp": (0, np.exp, 1.5),
    "expm1": (1, np.expm1, 2.0),
    "tanh": (2, np.tanh, 3.0),
    "sigmoid": (3, lambda x: 1 / (1 + np.exp(-x)), 3.0),
}
"""Name → its number in the library, the truth in float64, and the largest error in ulp."""


@pytest.fixture(params=["vector", "plain"])
def either(request, library):
    """The library with each of its two instruction sets."""
    library.use_plain(request.param == "plain")
    yield library
    library.use_plain(0)


def apply(library, name, x):
    x = np.ascontiguousarray(x, dtype=np.float32)
    y = np.empty_like(x)
    library.apply(FUNCTIONS[name][0], x.size, x.ctypes.data, y.ctypes.data)
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_are_right_to_a_few_ulp(either, name):
    rng = np.random.default_rng(0)
    small = 10 ** rng.uniform(-12, 1, 50_000) * rng.choice([-1, 1], 50_000)
    x = np.concatenate([rng.uniform(-86, 86, 100_000), small, [0.0]]).astype(np.float32)
    truth = FUNCTIONS[name][1](x.astype(np.float64))
    ulp = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    assert (np.abs(apply(either, name, x) - truth) / ulp).max() <= FUNCTIONS[name][2]


def test_elementary_functions_saturate_and_keep_nan(either):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30])
    assert np.array_equal(
        apply(either, "tanh", x), np.float32([np.nan, 1, -1, 1, -1]), equal_nan=True
    )
    assert apply(either, "expm1", x)[2] == -1
    assert np.isnan(apply(either, "exp", x)[0])
    assert apply(either, "sigmoid", x)[1] == 1
    assert 0 <= apply(either, "sigmoid", x)[4] < 1e-37


def test_what_was_built_is_found_in_the_cache_and_can_be_switched_off(built, monkeypatch):
    assert built.name == native.file_name()
    monkeypatch.setenv("XDG_CACHE_HOME", str(built.parents[1]))
    monkeypatch.delenv("LIQUID_MONO3D_NATIVE", raising=False)
    assert native.cache() == built.parent
    assert find_library() is not None
    monkeypatch.setenv("LIQUID_MONO3D_NATIVE", "off")
    assert find_library() is None
    monkeypatch.setenv("LIQUID_MONO3D_NATIVE", "on")
    monkeypatch.setattr(native, "FLAGS", ("-O0",))
    assert find_library() is None, "a library of another source or other flags is not taken"


def find_library():
    native.library.cache_clear()
    try:
        return native.library()
    finally:
        native.library.cache_clear()


def test_it_runs_as_a_file_without_the_package(tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", native.__file__, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--into" in done.stdout


def test_building_without_a_compiler_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(FileNotFoundError, match="CC must be a C compiler; got none"):
        native.build(tmp_path)


def test_a_failing_compiler_is_quoted(monkeypatch, tmp_path):
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho 'no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(RuntimeError, match="no such thing"):
        native.build(tmp_path)
    assert not list(tmp_path.glob("*.so"))


def test_the_running_step_imports_without_torch_or_compiling():
    program = (
        "import sys, subprocess\n"
        "subprocess.run = None\n"
        "import liquid_mono3d_ros.liquid.rnn.running\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
