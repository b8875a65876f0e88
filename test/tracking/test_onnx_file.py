from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest

from liquid_mono3d_ros.tracking.onnx_file import FLOAT, OnnxInput, read_onnx_input

TABLE = np.zeros((1, 6, 20))


def test_input_and_classes_are_read(tmp_path: Path) -> None:
    path = networks.spotter(tmp_path / "a.onnx", names="{1: 'lamp', 0: 'ball'}")
    assert read_onnx_input(path) == OnnxInput("images", FLOAT, (1, 3, 64, 64), ("ball", "lamp"))


def test_open_lengths_are_zero(tmp_path: Path) -> None:
    path = networks.constant(tmp_path / "a.onnx", TABLE, shape=(0, 3, 0, 320))
    assert read_onnx_input(path).shape == (0, 3, 0, 320)


@pytest.mark.parametrize("names", ["", "no dict {", "{0: open('x')}"])
def test_a_file_without_words_for_its_classes(tmp_path: Path, names: str) -> None:
    path = networks.constant(tmp_path / "a.onnx", TABLE, names=names)
    assert read_onnx_input(path).classes == ()


def test_a_package_reads_the_same(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(networks.spotter(tmp_path / "a.onnx", names="['ball']"))
    onnx.checker.check_model(model)
    value = model.graph.input[0]
    tensor = value.type.tensor_type
    lengths = tuple(part.dim_value for part in tensor.shape.dim)
    expected = OnnxInput(value.name, tensor.elem_type, lengths, ("ball",))
    assert read_onnx_input(str(tmp_path / "a.onnx")) == expected


def test_a_missing_file_is_named() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"onnx\.path 'no/such\.onnx' must be an ONNX file"
    ):
        read_onnx_input("no/such.onnx")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0 a picture", b"\x08\x08", b"text\n" * 99])
def test_another_kind_of_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(data)
    with pytest.raises(
        ValueError, match=r"picture\.onnx' must be an ONNX file; got a file of ano"
    ):
        read_onnx_input(str(path))


def test_a_broken_file_gives_a_sentence_or_an_input(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    whole = np.fromfile(networks.spotter(tmp_path / "whole.onnx"), np.uint8)
    path, said = tmp_path / "broken.onnx", []
    for _ in range(200):
        broken = whole.copy()
        broken[rng.integers(0, whole.size, 3)] = rng.integers(0, 256, 3)
        broken[: rng.integers(1, whole.size)].tofile(path)
        try:
            read_onnx_input(str(path))
        except ValueError as error:
            said.append(str(error))
    assert len(said) > 100
    assert all("must be an ONNX file" in sentence for sentence in said)
