import numpy as np
import pytest
from board_scenes import CHARUCO, CHESSBOARD, board_poses, lens, render_board

from liquid_mono3d_ros.calibration.boards import Board, find_corners, parse_board


def test_convention_the_board_frame_is_opencvs():
    board = parse_board("chessboard:4x3:0.1")
    np.testing.assert_allclose(board.xyz[[0, 1, 4]], [[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
    charuco = parse_board("charuco:4x3:0.1:0.05:DICT_4X4_50")  # squares: inner corners are fewer
    np.testing.assert_allclose(
        charuco.xyz[[0, 1, 3]], [[0.1, 0.1, 0], [0.2, 0.1, 0], [0.1, 0.2, 0]]
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("chessboard:9x6", "board must be chessboard:COLUMNSxROWS:SQUARE or charuco"),
        ("circles:9x6:0.02", "got 'circles:9x6:0.02'"),
        ("chessboard:2x6:0.02", "3 or more columns and rows; got 2x6"),
        ("chessboard:9x6:0", "of positive size; got a square of 0 m"),
        ("charuco:7x5:0.03:0.04:DICT_5X5_100", "of markers smaller than squares; got a marker of"),
        ("charuco:7x5:0.04:0.03:DICT_9X9", "of known markers; got DICT_9X9"),
    ],
)
def test_says_what_a_board_is(text, match):
    with pytest.raises(ValueError, match=match):
        parse_board(text)


def test_knows_boards_that_look_the_same_upside_down():
    assert Board(7, 5, 0.03).is_ambiguous
    assert not Board(9, 6, 0.03).is_ambiguous
    assert not CHARUCO.is_ambiguous


@pytest.mark.parametrize("board", [CHESSBOARD, CHARUCO], ids=["chessboard", "charuco"])
def test_finds_corners_to_a_twentieth_of_a_pixel(board):
    camera = lens("left")
    (R, t) = board_poses(board, 1, distance=(0.5, 0.5))[0]
    corners = find_corners(board, render_board(camera, board, R, t))
    truth = camera.project(board.xyz[corners.index] @ R.T + t)
    assert len(corners.index) == len(board.xyz)
    error = np.linalg.norm(corners.uv - truth, axis=1)
    assert np.median(error) < 0.05
    assert error.max() < 0.3


def test_a_charuco_board_may_be_cut_off_and_a_chessboard_not():
    camera, R = lens("left"), np.eye(3)
    for board in (CHESSBOARD, CHARUCO):
        t = -board.xyz.mean(axis=0) + [0.27, 0, 0.4]
        corners = find_corners(board, render_board(camera, board, R, t))
        if not board.dictionary:
            assert corners is None
        else:
            assert 6 <= len(corners.index) < len(board.xyz)
            truth = camera.project(board.xyz[corners.index] + t)
            assert np.abs(corners.uv - truth).max() < 0.3


def test_an_empty_image_has_no_board():
    assert find_corners(CHESSBOARD, np.full((480, 640, 3), 128, np.uint8)) is None
    assert find_corners(CHARUCO, np.full((480, 640), 128, np.uint8)) is None
