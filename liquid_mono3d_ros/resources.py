"""The one finder of packaged files: configuration, rigs, launch files."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from liquid_mono3d_ros.checks import complain

PACKAGE = "liquid_mono3d"


def share_path(name: str) -> Path:
    """Return where a packaged file or folder is, for example ``config/pipeline.yaml``.

    Looked for in the share folder of each prefix in AMENT_PREFIX_PATH, then of the running
    Python, then in the checkout that holds this file.

    Raises:
        FileNotFoundError: If none has it; the text lists every place.
    """
    places = list(_places())
    for place in places:
        if (place / name).exists():
            return place / name
    got = f"{name!r}, which is in none of {', '.join(map(str, places))}"
    cure = "Check the spelling, or install the package (make setup, colcon build, pip install)."
    raise FileNotFoundError(complain("name", "a packaged file", got, cure))


def _places() -> Iterator[Path]:
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            yield Path(prefix, "share", PACKAGE)
    user = sysconfig.get_preferred_scheme("user")
    for prefix in (sysconfig.get_path("data"), sysconfig.get_path("data", user)):
        yield Path(prefix, "share", PACKAGE)
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "package.xml").is_file():
        yield checkout
