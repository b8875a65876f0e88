from pathlib import Path

import cv2
import numpy as np
import pytest
from board_scenes import CHESSBOARD, board_poses, lens, render_board

from liquid_mono3d_ros.cli.calibrate import main, pair_images
from liquid_mono3d_ros.geometry.rig import load_rig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine pairs, an image of a left camera alone, and one without a board."""
    folder = tmp_path_factory.mktemp("images")
    cameras = {"left": lens("left"), "right": lens("right", t=0.1)}
    middle = np.array([0.05, 0.0, 0.0])
    for k, (R, t) in enumerate(board_poses(CHESSBOARD, 9, distance=(0.42, 0.6)), start=1):
        for name, camera in cameras.items():
            image = render_board(camera, CHESSBOARD, R, t + middle, seed=k)
            cv2.imwrite(str(folder / f"{name}{k:02d}.png"), image)
    cv2.imwrite(str(folder / "left10.png"), cv2.imread(str(folder / "left01.png")))
    for name in cameras:
        cv2.imwrite(str(folder / f"{name}11.png"), np.full((480, 640), 128, np.uint8))
    return folder


def arguments(folder, *more):
    images = [f"{name}={folder}/{name}*.png" for name in ("left", "right")]
    return ["--board", "chessboard:8x5:0.04", "--images", *images, *more]


def test_writes_a_rig_and_says_how_good_it_is(folder, tmp_path, capsys):
    out = tmp_path / "rig.yaml"
    assert main(arguments(folder, "--out", str(out))) == 0
    rig = load_rig(out)
    np.testing.assert_allclose(np.linalg.norm(rig.cameras["right"].centre), 0.1001, atol=5e-4)
    assert rig.up is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "40 corners a board, 11 image sets, model plumb_bob"
    assert (
        "camera          used  RMS px             fx px             fy px  covered  tilt deg"
        in lines
    )
    assert any(line.startswith("left           10/11") for line in lines)
    assert any(line.startswith("left - right                    9") for line in lines)
    text = "".join(line if line.startswith(" ") else f"\n{line}" for line in lines)
    assert f"not used: {folder}/right11.png: the board was not found" in text.replace("  ", " ")
    assert f"not paired: {folder}/left10.png: used for its lens alone" in text.replace("  ", " ")
    assert "warning: left and right share 9 views: take 10 or more that both see." in lines
    assert max(len(line) for line in lines if "/pytest-" not in line) <= 100


def test_the_world_may_be_a_board(folder, tmp_path, capsys):
    out = tmp_path / "rig.yaml"
    images = [f"{name}={folder}/{name}0[1-4].png" for name in ("left", "right")]
    some = ["--board", "chessboard:8x5:0.04", "--images", *images, "--out", str(out)]
    assert main([*some, "--world", "board:2"]) == 0
    rig = load_rig(out)
    np.testing.assert_array_equal(rig.up, [0, 0, 1])
    assert rig.cameras["left"].centre[2] > 0.3
    assert "Its world is the board of image set 2, z up." in capsys.readouterr().out
    with pytest.raises(ValueError, match="--world must be camera or board:NUMBER; got 'table'"):
        main([*some, "--world", "table"])


def test_says_what_is_wrong_with_the_images(folder, tmp_path):
    with pytest.raises(ValueError, match="--images must be CAMERA=PATTERN, once each; got 'left'"):
        main(["--board", "chessboard:8x5:0.04", "--images", "left"])
    with pytest.raises(FileNotFoundError, match="--images must be of existing files; got 'a="):
        main(["--board", "chessboard:8x5:0.04", "--images", f"a={tmp_path}/no*.png"])
    (tmp_path / "a1.png").write_text("no image")
    with pytest.raises(ValueError, match="--images must be images; got"):
        main(["--board", "chessboard:8x5:0.04", "--images", f"a={tmp_path}/a*.png"])
    for number, width in ((1, 640), (2, 320)):
        cv2.imwrite(str(tmp_path / f"b{number}.png"), np.zeros((480, width), np.uint8))
    with pytest.raises(ValueError, match="images must be 640x480 as the others of b; got 320x480"):
        main(["--board", "chessboard:8x5:0.04", "--images", f"b={tmp_path}/b*.png"])


def test_images_are_paired_by_their_last_number_or_by_order():
    left = [Path("l/cam0_1.png"), Path("l/cam0_3.png")]
    right = [Path("r/cam1_3.png"), Path("r/cam1_4.png")]
    sets, alone = pair_images({"left": left, "right": right})
    assert sets[3] == {"left": left[1], "right": right[0]}
    assert alone == [left[0], right[1]]
    named = [Path("b.png"), Path("a.png")]
    sets, alone = pair_images({"left": named, "right": right})
    assert sets == {
        1: {"left": named[1], "right": right[0]},
        2: {"left": named[0], "right": right[1]},
    }
    assert not alone
