import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NO_ROS = ("test_choice.py", "test_monitor.py", "test_repair.py", "test_worker.py")
"""Tests of modules without ROS."""
sys.path.append(str(HERE.parent))  # for `import observer` and `import scenes`

try:
    import liquid_mono3d.msg  # noqa: F401
    import rclpy  # noqa: F401
except ImportError:  # test/ros/test_installed.py says so
    collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name not in NO_ROS]
else:

    @pytest.fixture(scope="module", autouse=True)
    def private_graph():
        from observer import private_domain

        with private_domain():
            yield

    @pytest.fixture(autouse=True)
    def no_participant_is_left():
        """A participant left to the garbage collector can keep the end of a later one waiting."""
        yield
        threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
        assert not [name for name in threads if name.startswith("dds.ev.")]  # one for each
