"""The messages that Python finds are those of this checkout."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros
FILES = sorted((Path(__file__).parents[2] / "msg").glob("*.msg"))
FIELD = re.compile(r"^([\w/]+)(\[\d*\])?\s+(\w+)\s*(?:#.*)?$")


def fields(path):
    """Yield name and whether it is a list of each field in the order of a definition."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := FIELD.match(line):
            yield match[3], match[2] is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_installed_messages_have_the_fields_of_their_definitions(path):
    pytest.importorskip("rclpy", reason="no ROS 2 here: test/ros and most of test/nodes are left")
    messages = pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
    installed = getattr(messages, path.stem).get_fields_and_field_types()
    is_list = {name: kind.endswith("]") or "sequence<" in kind for name, kind in installed.items()}
    assert list(is_list.items()) == list(fields(path)), "build the messages again: make setup"
