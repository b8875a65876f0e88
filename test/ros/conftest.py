import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent), str(HERE)]  # for `import observer`, `scenes` and `feeds`

try:
    import liquid_mono3d.msg  # noqa: F401
    import rclpy  # noqa: F401
except ImportError:  # test_installed.py says so
    collect_ignore_glob = ["feeds.py", "test_[!i]*.py"]
else:

    @pytest.fixture(scope="module", autouse=True)
    def private_graph():
        from observer import private_domain

        with private_domain():
            yield
