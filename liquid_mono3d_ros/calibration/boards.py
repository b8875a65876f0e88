"""Calibration boards, and where their corners are in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain

FORMS = "chessboard:COLUMNSxROWS:SQUARE or charuco:COLUMNSxROWS:SQUARE:MARKER:DICTIONARY"
WINDOW = 5
"""Half the side of the window in which a corner is refined, px, where the squares leave room."""


@dataclass(frozen=True)
class Board:
    """A flat board whose corners are known.

    Convention: OpenCV's board frame: x along the columns, y along the rows, z into the board, away
    from whoever looks at it.

    Attributes:
        columns: Inner corners along x of a chessboard; squares along x of a ChArUco board.
        rows: The same along y.
        square: Side of a square, m.
        marker: Side of a marker, m; 0 for a chessboard.
        dictionary: OpenCV's name of the markers, ``DICT_5X5_100``; empty for a chessboard.
    """

    columns: int
    rows: int
    square: float
    marker: float = 0.0
    dictionary: str = ""

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 3:
            got, cure = f"{self.columns}x{self.rows}", f"Write {FORMS}."
            raise ValueError(complain("board", "3 or more columns and rows", got, cure))
        if not self.square > 0:
            got, cure = f"a square of {self.square:g} m", "Measure it, in metres."
            raise ValueError(complain("board", "of positive size", got, cure))
        if self.dictionary and not 0 < self.marker < self.square:
            got, cure = f"a marker of {self.marker:g} m", "Measure it, in metres."
            raise ValueError(complain("board", "of markers smaller than squares", got, cure))
        if self.dictionary and not hasattr(cv2.aruco, self.dictionary):
            cure = "Name a dictionary of cv2.aruco, for example DICT_5X5_100."
            raise ValueError(complain("board", "of known markers", self.dictionary, cure))

    @property
    def xyz(self) -> Array:
        """The corners in the board frame, (M, 3) m, row by row."""
        inner = 1 if self.dictionary else 0  # a ChArUco board counts squares
        columns, rows = self.columns - inner, self.rows - inner
        y, x = np.mgrid[inner : rows + inner, inner : columns + inner]
        return np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) * self.square

    @property
    def is_ambiguous(self) -> bool:
        """Whether it looks the same when turned by half a turn: only a chessboard can."""
        return not self.dictionary and (self.columns + self.rows) % 2 == 0


@dataclass(frozen=True)
class Corners:
    """Corners found in one image.

    Attributes:
        index: Rows of ``Board.xyz``, (N,) int, ascending.
        uv: Where they are, (N, 2) raw px.
    """

    index: Array
    uv: Array

    def __post_init__(self) -> None:
        n = check_shape("index", self.index, ("N",))["N"]
        check_shape("uv", self.uv, (n, 2))


def parse_board(text: str) -> Board:
    """Return the board of a text.

    Raises:
        ValueError: If the text is of neither form.

    Example:
        >>> parse_board("chessboard:9x6:0.025")
        Board(columns=9, rows=6, square=0.025, marker=0.0, dictionary='')
        >>> len(parse_board("charuco:7x5:0.04:0.03:DICT_5X5_100").xyz)
        24
    """
    kind, *fields = text.split(":")
    try:
        columns, rows = (int(number) for number in fields[0].split("x"))
        if kind == "chessboard" and len(fields) == 2:
            return Board(columns, rows, float(fields[1]))
        if kind == "charuco" and len(fields) == 4:
            return Board(columns, rows, float(fields[1]), float(fields[2]), fields[3])
    except (IndexError, ValueError) as error:
        if str(error).startswith("board must"):
            raise
    example = "For example chessboard:9x6:0.025, inner corners and metres."
    raise ValueError(complain("board", FORMS, repr(text), example))


def find_corners(board: Board, image: Array) -> Corners | None:
    """Return the corners of the board in an image (H, W) or (H, W, 3) uint8; None without enough.

    A chessboard must be seen whole; of a ChArUco board six corners not in one row are enough.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    return _charuco(board, grey) if board.dictionary else _chessboard(board, grey)


def charuco_board(board: Board) -> Any:
    """Return OpenCV's object for a ChArUco board."""
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    return cv2.aruco.CharucoBoard(
        (board.columns, board.rows), board.square, board.marker, dictionary
    )


def _chessboard(board: Board, grey: Array) -> Corners | None:
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, uv = cv2.findChessboardCorners(grey, (board.columns, board.rows), flags=flags)
    if not found:
        return None
    uv = np.asarray(uv, dtype=float).reshape(-1, 2)
    return Corners(np.arange(len(uv)), _refined(grey, uv, _spacing(uv) / 3))


def _charuco(board: Board, grey: Array) -> Corners | None:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.CharucoDetector(charuco_board(board), detectorParams=parameters)
    uv, index, _, _ = detector.detectBoard(grey)
    if uv is None or index is None or len(index) < 6:
        return None
    index = np.asarray(index).reshape(-1).astype(int)
    order = np.argsort(index)
    xy = board.xyz[index[order], :2]
    if np.linalg.matrix_rank(xy - xy[0], tol=1e-6) < 2:
        return None
    uv = np.asarray(uv, dtype=float).reshape(-1, 2)[order]
    white = (1 - board.marker / board.square) / 2  # of a square, beside a marker
    return Corners(index[order], _refined(grey, uv, _spacing(uv) * white))


def _spacing(uv: Array) -> float:
    """Return the smallest distance between two corners, px."""
    apart = np.linalg.norm(uv[:, None] - uv, axis=2)
    return float(apart[~np.eye(len(uv), dtype=bool)].min())


def _refined(grey: Array, uv: Array, reach: float) -> Array:
    """Return where the edges cross, (N, 2) px, seen in a window of ``reach`` on each side at most.

    ChArUco corners need it too: those of OpenCV 4.10 lie half a pixel to the right and below.
    """
    half = int(np.clip(reach, 2, WINDOW))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-4)
    start = np.ascontiguousarray(uv, dtype=np.float32).reshape(-1, 1, 2).copy()
    found = cv2.cornerSubPix(grey, start, (half, half), (-1, -1), stop)
    return np.asarray(found, dtype=float).reshape(-1, 2)
