import sys
import sysconfig
from pathlib import Path

import pytest

from liquid_mono3d_ros import resources
from liquid_mono3d_ros.resources import share_path

CHECKOUT = Path(resources.__file__).resolve().parents[1]


@pytest.fixture
def prefixes(tmp_path, monkeypatch):
    """Two ROS prefixes and a Python prefix, all empty."""
    ros = [tmp_path / "overlay", tmp_path / "underlay"]
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{ros[0]}:{ros[1]}:")
    python = tmp_path / "python"
    monkeypatch.setattr(sysconfig, "get_path", lambda name, scheme="": str(python))
    return [*ros, python]


def put(prefix, name):
    file = prefix / "share" / "liquid_mono3d" / name
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def test_convention_ros_prefixes_come_first_in_order_then_python_then_the_checkout(prefixes):
    name = "config/pipeline.rviz"
    assert share_path("package.xml") == CHECKOUT / "package.xml"
    for prefix in reversed(prefixes):
        file = put(prefix, name)
        assert share_path(name) == file


def test_a_place_that_lacks_the_file_is_passed_over(prefixes):
    put(prefixes[0], "config/other.yaml")
    file = put(prefixes[1], "config/wanted.yaml")
    assert share_path("config/wanted.yaml") == file


def test_a_folder_is_found(prefixes):
    folder = put(prefixes[0], "config/rigs/a.yaml").parent
    assert share_path("config/rigs") == folder


def test_missing_file_names_every_place(prefixes):
    with pytest.raises(
        FileNotFoundError, match="name must be a packaged file; got 'nowhere'"
    ) as e:
        share_path("nowhere")
    for place in (*(p / "share" / "liquid_mono3d" for p in prefixes), CHECKOUT):
        assert str(place) in str(e.value)


def test_python_prefix_is_that_of_the_running_python(monkeypatch):
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    assert Path(sys.prefix, "share", "liquid_mono3d") in list(resources._places())
