"""Say what this machine lacks for ``make setup``; exit 1 if anything is missing."""

import importlib.util
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

version = f"{sys.version_info.major}.{sys.version_info.minor}"
headers = Path(sysconfig.get_path("include"), "Python.h")
machine = f"{platform.system()} {platform.machine()}"
needs = {
    f"x86-64 Linux, where ROS 2 comes from PyPI; got {machine}. Install ROS 2 and use colcon.": (
        machine == "Linux x86_64"
    ),
    f"Python 3.10 to 3.13; got {version}. Name another one: make PYTHON=python3.12 ...": (
        (3, 10) <= sys.version_info[:2] <= (3, 13)
    ),
    f"venv; got none. Install it: sudo apt install python{version}-venv": (
        importlib.util.find_spec("ensurepip") is not None
    ),
    f"Python.h; got none. Install it: sudo apt install python{version}-dev": headers.is_file(),
    "a C++ compiler; got none. Install it: sudo apt install g++": shutil.which("c++") is not None,
}
for need, met in needs.items():
    if not met:
        print(f"make setup needs {need}", file=sys.stderr)
sys.exit(not all(needs.values()))
