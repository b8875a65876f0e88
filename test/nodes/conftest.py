import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for `import observer` and `import scenes`


@pytest.fixture(scope="module", autouse=True)
def private_graph():
    try:
        from observer import private_domain
    except pytest.skip.Exception:  # no ROS here: what is left does not need it
        yield
        return
    with private_domain():
        yield
