"""``pip install .``: the library and its command, without ROS.

Where there is ROS, CMake installs the package and reads only ``setup.cfg``.
"""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()


def requirements(part):
    """Return the requirements in ``requirements/<part>.txt``."""
    lines = (ROOT / "requirements" / f"{part}.txt").read_text().splitlines()
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def shared(folder):
    """Return the files of a folder as data files, where ``resources.py`` looks for them."""
    for path in sorted(ROOT.glob(f"{folder}/**/*")):
        if path.is_file():
            file = path.relative_to(ROOT)
            yield f"share/liquid_mono3d/{file.parent}", [str(file)]


setup(
    name="liquid_mono3d_ros",
    version=MANIFEST.findtext("version"),
    description=MANIFEST.findtext("description"),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license=MANIFEST.findtext("license"),
    python_requires=">=3.10",
    packages=find_packages(include=("liquid_mono3d_ros", "liquid_mono3d_ros.*")),
    package_data={
        "liquid_mono3d_ros": ["weights/*"],
        "liquid_mono3d_ros.bench": ["*.json"],
        "liquid_mono3d_ros.liquid.rnn": ["native/*.c"],
    },
    data_files=list(shared("config")),
    # Takes the place of those in setup.cfg, which start nodes and need ROS.
    entry_points={"console_scripts": ["liquid-mono3d = liquid_mono3d_ros.cli.main:main"]},
    install_requires=requirements("core"),
    extras_require={part: requirements(part) for part in ("demo", "dev", "bench", "torch", "llm")},
)
