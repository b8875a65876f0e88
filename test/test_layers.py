"""Who may import whom: the table of the house, kept by machine."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "liquid_mono3d_ros"
LEVELS = (
    {"checks", "records", "search", "settings", "resources"},
    {"tracking", "geometry", "liquid", "video"},
    {"calibration", "fusion", "lite", "synth"},
    {"language"},
    {
        "pipeline",
        "graph",
        "arguments",
        "plan",
        "processes",
        "recording",
        "samples",
        "train",
        "bench",
        "clip",
    },
    {"nodes", "cli"},
)
LEVEL = {unit: level for level, units in enumerate(LEVELS) for unit in units}
NEIGHBOURS = {0, 4}
"""Levels whose units may import one another; never in a circle."""
ROS = {
    "rclpy", "cv_bridge", "message_filters", "tf2_ros", "rosidl_runtime_py", "ament_index_python",
    "rcl_interfaces", "builtin_interfaces", "std_srvs", "launch", "launch_ros", "liquid_mono3d",
}  # fmt: skip
OPTIONAL = {
    "cv_bridge",
    "message_filters",
    "tf2_ros",
    "transformers",
    "accelerate",
    "gguf",
    "onnxruntime",
    "openai",
    "aniposelib",
    "norfair",
    "supervision",
    "trackers",
}
"""Imported in the function that needs them."""
TORCH = PACKAGE / "liquid" / "rnn"
TORCH_FREE = {"__init__", "native", "running", "weights", "wiring", "drawing"}
"""torch is at home here and in train/, these modules excepted."""
TRAIN = PACKAGE / "train"
LEARNT = {PACKAGE / "video", PACKAGE / "fusion"}
"""Folders whose modules are networks."""
DATA = {"__init__", "motion_tracks", "video_data"}
"""Modules of these folders and of train/ without torch."""
FORMATS = {"liquid_mono3d_ros.liquid.rnn.weights"}
"""Readers and writers of files, without torch, which units beside theirs may import, too."""
LAZY = {"bench", "language", "cli"}
"""Units that import torch in the functions that need it."""
MODELS = {PACKAGE / "bench" / "learning.py"}
"""Modules elsewhere that define models, imported when asked for."""


def may_import_torch(path):
    if path in MODELS or ({TRAIN, *LEARNT} & {*path.parents} and path.stem not in DATA):
        return True
    return TORCH in path.parents and path.stem not in TORCH_FREE


def is_ros(name):
    top = name.partition(".")[0]
    return top in ROS or top.endswith("_msgs")


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def unit_of(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path):
    """Yield (module imported, whether at import time); type-checking imports are left out."""
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")), at_import=True)


def _imports(node, at_import):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield alias.name, at_import
        elif isinstance(child, ast.ImportFrom):
            yield child.module, at_import
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                if _is_module(inner):
                    yield inner, at_import
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        else:
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from _imports(child, at_import and not is_function)


def _is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def own_imports(path):
    return {name for name, _ in imports(path) if name.split(".")[0] == "liquid_mono3d_ros"}


def test_every_module_has_a_level():
    units = {unit_of(dotted(path)) for path in modules()} - {""}
    assert units <= set(LEVEL), "new folders and modules get a level in LEVELS"
    assert len(units) > 10


def test_imports_go_downwards():
    def allowed(own, other):
        level, below = LEVEL[own], LEVEL[other]
        return below < level or (below == level and level in NEIGHBOURS)

    assert not [
        f"{dotted(path)} imports {name}"
        for path in modules()
        for name in own_imports(path) - FORMATS
        if (own := unit_of(dotted(path))) != (other := unit_of(name))
        and other
        and not (own and allowed(own, other))
    ]


def test_nothing_imports_the_nodes():
    assert not [
        f"{dotted(path)} imports {name}"
        for path in modules()
        for name in own_imports(path)
        if unit_of(name) == "nodes" and unit_of(dotted(path)) != "nodes"
    ]


def test_ros_only_in_the_nodes():
    offences = {
        f"{dotted(path)} imports {name}"
        for path in modules()
        for name, _ in imports(path)
        if is_ros(name) and unit_of(dotted(path)) != "nodes"
    }
    assert not offences
    assert any(is_ros(name) for name, _ in imports(PACKAGE / "nodes" / "stage.py"))


def test_optional_packages_are_lazy():
    found = [(dotted(path), *item) for path in modules() for item in imports(path)]
    assert not [item for item in found if item[1].split(".")[0] in OPTIONAL and item[2]]


def test_torch_only_among_the_liquid_cells():
    found = {
        f"{dotted(path)} imports {name}"
        for path in modules()
        for name, at_import in imports(path)
        if name.split(".")[0] == "torch"
        and not may_import_torch(path)
        and (at_import or unit_of(dotted(path)) not in LAZY)
    }
    assert not found
    assert all((TORCH / f"{name}.py").is_file() for name in TORCH_FREE)
    torch_modules = {dotted(path) for path in modules() if may_import_torch(path)}
    assert not [
        f"{dotted(path)} imports {name}"
        for path in modules()
        for name, at_import in imports(path)
        if name in torch_modules and at_import and not may_import_torch(path)
    ]


def test_no_circles():
    graph = {dotted(path): own_imports(path) - {dotted(path)} for path in modules()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert set(graph) <= set(order)


def test_the_walk_sees_what_it_should(tmp_path):
    path = tmp_path / "example.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "import numpy as np\n"
        "from liquid_mono3d_ros import records\n"
        "if TYPE_CHECKING:\n    import rclpy\n"
        "try:\n    import torch.nn\nexcept ImportError:\n    pass\n"
        "class A:\n    def f(self):\n        from tf2_ros import Buffer\n"
    )
    assert list(imports(path)) == [
        ("typing", True),
        ("numpy", True),
        ("liquid_mono3d_ros", True),
        ("liquid_mono3d_ros.records", True),
        ("torch.nn", True),
        ("tf2_ros", False),
    ]


def test_the_core_imports_without_ros_and_torch():
    core = [
        dotted(path)
        for path in modules()
        if unit_of(dotted(path)) != "nodes" and not may_import_torch(path)
    ]
    program = f"""
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {ROS | OPTIONAL | {"torch"}!r} or top.endswith("_msgs"):
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Refuse())
for name in {core!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
