"""Images of a board on a table, rendered from a known camera."""

from functools import cache

import cv2
import numpy as np
from transforms3d import euler

from liquid_mono3d_ros.calibration.boards import charuco_board, parse_board
from liquid_mono3d_ros.geometry.camera import Camera

cv2.setNumThreads(1)
CHESSBOARD = parse_board("chessboard:8x5:0.04")
CHARUCO = parse_board("charuco:9x6:0.04:0.03:DICT_5X5_100")
PX = 2000
"""Pixels of the printed board to a metre."""


@cache
def printed(board):
    """The board as printed, and where its frame's origin is on the print, px."""
    square = round(board.square * PX)
    if board.dictionary:
        size = (board.columns * square, board.rows * square)
        image = charuco_board(board).generateImage(size)
        origin = -0.5
    else:
        rows, columns = np.mgrid[: board.rows + 1, : board.columns + 1]
        image = np.kron((rows + columns) % 2, np.ones((square, square))) * 255
        origin = square - 0.5  # the first inner corner, between pixels
    margin = square
    framed = np.pad(image.astype(np.uint8), margin, constant_values=255)
    return cv2.GaussianBlur(framed, (0, 0), 2.0), origin + margin


@cache
def rays_of(camera):
    """The ray of each pixel, (H * W, 3)."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = camera.undistort(np.stack([u, v], axis=-1).reshape(-1, 2).astype(float))
    return np.column_stack([rays, np.ones(len(rays))])


def render_board(camera, board, R, t, seed=0):
    """The board at a pose in the world, as the camera sees it, (H, W) uint8."""
    paper, origin = printed(board)
    R_cb, t_cb = camera.R_cw @ R, camera.R_cw @ t + camera.t_cw
    directions = rays_of(camera) @ R_cb  # in the board frame
    start = -R_cb.T @ t_cb
    xy = start[:2] - directions[:, :2] * (start[2] / directions[:, 2])[:, None]
    place = (xy * PX + origin).astype(np.float32).reshape(camera.height, camera.width, 2)
    image = cv2.remap(paper, place, None, cv2.INTER_LINEAR, borderValue=128)
    noisy = image * 0.8 + 20 + np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def board_poses(board, number, *, seed=0, reach=(0.06, 0.04), distance=(0.35, 0.5)):
    """Poses of the board before a camera at the origin, tilted up to 35 degrees."""
    rng = np.random.default_rng(seed)
    middle = board.xyz.mean(axis=0)
    poses = []
    for _ in range(number):
        R = euler.euler2mat(*rng.uniform(-0.6, 0.6, 2), rng.uniform(-0.3, 0.3))
        place = np.array([*rng.uniform(-1, 1, 2) * reach, rng.uniform(*distance)])
        poses.append((R, place - R @ middle))
    return poses


def lens(name, *, model="plumb_bob", D=(-0.25, 0.08, 0.001, -0.0005, 0.0), focal=420.0, t=0.0):
    turn = euler.euler2mat(0.02, -0.03, 0.01) if t else np.eye(3)
    return Camera(
        name, 640, 480, np.array([[focal, 0, 322.0], [0, focal + 2, 236.0], [0, 0, 1]]),
        np.array(D), model, turn, np.array([-t, 0.003, 0.002]) if t else np.zeros(3),
    )  # fmt: skip
