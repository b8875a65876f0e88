import shutil

import pytest

from liquid_mono3d_ros.liquid.rnn import native


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The native library's file, built afresh."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler")
    return native.build(tmp_path_factory.mktemp("cache") / "liquid_mono3d")


@pytest.fixture(scope="session")
def library(built):
    return native.load(built)


@pytest.fixture
def with_native(library, monkeypatch):
    monkeypatch.setattr(native, "library", lambda: library)


@pytest.fixture
def without_native(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
