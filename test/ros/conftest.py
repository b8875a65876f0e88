import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent), str(HERE)]  # for `import observer`, `scenes` and `feeds`


@pytest.fixture(scope="module", autouse=True)
def private_graph():
    from observer import private_domain

    with private_domain():
        yield
