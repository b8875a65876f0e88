"""The parts of the demo's picture, each drawn into axes that it is given."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.records import Trajectory, seconds

# Okabe & Ito's palette, told apart by colour-blind eyes.
FILTERED = "#0072B2"
TRIANGULATED = "#D55E00"
PREDICTED = "#000000"
CAMERAS = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
CHI2_95_ACROSS = 5.9915
"""Chi² of two degrees of freedom that 95 % stay below."""
GREY = "#5F6368"
PALE = "#C4C8CE"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": PALE,
    "axes.labelcolor": GREY,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": "#E3E5E8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class Track:
    """What the picture shows of one object.

    Attributes:
        states: Measured states, oldest first.
        triangulated: Positions before the filter, (N, 3) m.
        pixels: Camera → stamps (N,) ns and pixels (N, 2).
    """

    states: Sequence[Trajectory]
    triangulated: Array
    pixels: Mapping[str, tuple[Array, Array]]

    @property
    def xyz(self) -> Array:
        """Filtered positions, (N, 3) m."""
        return np.array([state.xyz for state in self.states])

    @property
    def middle(self) -> Trajectory:
        """The state in the middle: the images shown are of its stamp."""
        return self.states[len(self.states) // 2]

    def speed(self) -> tuple[Array, Array, Array]:
        """Return time since the first state (N,) s, speed (N,) m/s and its sigma along the way."""
        t = np.array([seconds(state.stamp - self.states[0].stamp) for state in self.states])
        velocity = np.array([state.velocity for state in self.states])  # (N, 3)
        P = np.array([state.covariance[3:, 3:] for state in self.states])  # (N, 3, 3)
        speed = np.linalg.norm(velocity, axis=1)
        along = velocity / np.maximum(speed, 1e-9)[:, None]
        return t, speed, np.sqrt(np.einsum("ni,nij,nj->n", along, P, along))


def draw_view(
    axes: Any, name: str, image: Array, stamp: int, pixels: tuple[Array, Array], colour: str
) -> None:
    """Show an image with its 2D track: what came before it, and thinner what follows."""
    stamps, uv = pixels
    height, width = image.shape[:2]
    axes.imshow(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), interpolation="antialiased")
    before, after = uv[stamps <= stamp], uv[stamps >= stamp]
    for part, thick in ((after, 1.1), (before, 2.6)):
        halo = [withStroke(linewidth=thick + 1.8, foreground="white")]
        axes.plot(*part.T, color=colour, lw=thick, path_effects=halo, solid_capstyle="round")
    axes.plot(*before[-1:].T, "o", color=colour, ms=9, mec="white", mew=1.8)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=(), yticks=())
    axes.set_title(name, loc="left", pad=4, color=colour, fontsize=10, fontweight="bold")
    axes.set_title(f"{width} × {height} px", loc="right", pad=4, color=GREY, fontsize=8)
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=1.6)


def draw_room(
    axes: Any, track: Track, cameras: Mapping[str, Camera], colours: Mapping[str, str]
) -> None:
    """Show the cameras, their lines of sight, and the path above its shadow on the floor."""
    xyz = track.xyz
    centres = np.array([camera.centre for camera in cameras.values()])
    everything = np.vstack([xyz, centres])
    low, high = everything.min(axis=0), everything.max(axis=0)
    size = 0.11 * float((high - low).max())
    low, high = low - size, high + size
    low[2] = min(low[2], 0.0)
    close = np.linalg.norm(np.diff(centres, axis=0), axis=1).min() < 4 * size
    for number, (name, camera) in enumerate(cameras.items()):
        colour = colours[name]
        for edge in frustum(camera, size):
            axes.plot(*edge.T, color=colour, lw=1.4)
        axes.plot(
            *np.array([camera.centre, track.middle.xyz]).T, color=colour, lw=0.9, ls=(0, (5, 3))
        )
        foot = [*camera.centre[:2], low[2]]
        axes.plot(*np.array([camera.centre, foot]).T, color=colour, lw=0.6, alpha=0.6)
        axes.plot(*foot, ".", color=colour, ms=4, alpha=0.6)
        above = camera.centre + np.array([0.0, 0.0, (1.7 if close and number % 2 else 0.9) * size])
        axes.text(*above, name, color=colour, fontsize=9, fontweight="bold", ha="center")
    axes.plot(xyz[:, 0], xyz[:, 1], low[2], color=PALE, lw=1.8)
    axes.plot(*xyz.T, color=FILTERED, lw=2.4)
    axes.plot(*track.middle.xyz, "o", color=FILTERED, ms=6, mec="white", mew=1.2)
    _scale_equally(axes, low, high, zoom=0.95)
    axes.view_init(elev=22, azim=viewpoint(track.middle.xyz, centres))


def draw_path(axes: Any, track: Track) -> None:
    """Show the path from near: what was triangulated, what the filter made of it, what it foresaw.

    Around the filtered path lies the tube that holds the object, across its way, with 95 %.
    """
    xyz, raw = track.xyz, track.triangulated
    rings = tube(xyz, np.array([state.covariance[:3, :3] for state in track.states]))
    middle = track.middle
    ahead = np.array([middle.xyz, *(one.xyz for one in middle.predictions)])
    everything = np.vstack([xyz, raw, rings.reshape(-1, 3), ahead])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.06 * float((high - low).max())
    surface: dict[str, Any] = {"color": FILTERED, "alpha": 0.18, "lw": 0, "shade": False}
    axes.plot_surface(*np.moveaxis(rings, -1, 0), antialiased=False, **surface)
    axes.plot(*xyz.T, color=FILTERED, lw=1.4, label="filtered, 95 % tube")
    axes.plot(*raw.T, "o", color=TRIANGULATED, ms=2.2, mew=0, label="triangulated")
    if len(ahead) > 1:
        horizon = seconds(middle.predictions[-1].after)
        style: dict[str, Any] = {"color": PREDICTED, "lw": 1.6, "ls": (0, (3, 2))}
        axes.plot(*ahead.T, label=f"predicted {horizon:.2g} s ahead", **style)
    axes.plot(*middle.xyz, "o", color=FILTERED, ms=7, mec="white", mew=1.4)
    for name, position in (("start", xyz[0]), ("end", xyz[-1])):
        axes.text(
            *(position + np.array([0, 0, margin])), name, fontsize=8, color=GREY, ha="center"
        )
    _scale_equally(axes, low - margin, high + margin, zoom=1.1)
    way = xyz[-1] - xyz[0]
    axes.view_init(elev=22, azim=float(np.degrees(np.arctan2(way[1], way[0]))) - 70)
    axes.legend(loc="upper right", handlelength=1.4, borderaxespad=0)


def tube(xyz: Array, covariance: Array, sides: int = 24) -> Array:
    """Return rings around a path that hold the object, across its way, with 95 %.

    The frame in which a ring is drawn is carried along without turning about the way, so that the
    rings join without a twist.

    Args:
        xyz: Positions, (N, 3) m.
        covariance: Of each, (N, 3, 3) m².
        sides: Points of a ring.

    Returns:
        (N, sides, 3) m; the last point of a ring is the first again.
    """
    way = np.gradient(xyz, axis=0) if len(xyz) > 1 else np.zeros_like(xyz)
    angle = np.linspace(0.0, 2 * np.pi, sides)
    circle = np.sqrt(CHI2_95_ACROSS) * np.stack([np.cos(angle), np.sin(angle)])  # (2, S)
    along, u = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    rings = np.empty((len(xyz), sides, 3))
    for k, (centre, step, P) in enumerate(zip(xyz, way, covariance, strict=True)):
        length = np.linalg.norm(step)
        along = step / length if length > 0 else along  # it stands: as before
        across = u - (u @ along) * along
        if np.linalg.norm(across) < 1e-6:
            across = np.roll(along, 1) - (np.roll(along, 1) @ along) * along
        u = across / np.linalg.norm(across)
        plane = np.stack([u, np.cross(along, u)], axis=1)  # (3, 2)
        variances, axes = np.linalg.eigh(plane.T @ P @ plane)
        root = (axes * np.sqrt(np.maximum(variances, 0.0))) @ axes.T
        rings[k] = centre + (plane @ root @ circle).T
    return rings


def draw_speed(axes: Any, track: Track) -> None:
    """Show the filtered speed with one standard deviation on either side."""
    t, speed, sigma = track.speed()
    low = np.maximum(speed - sigma, 0)
    axes.fill_between(t, low, speed + sigma, color=FILTERED, alpha=0.18, lw=0)
    axes.plot(t, speed, color=FILTERED, lw=1.8)
    median, middle = float(np.median(speed)), seconds(track.middle.stamp - track.states[0].stamp)
    axes.axhline(median, color=GREY, lw=0.8, ls=(0, (4, 3)))
    axes.axvline(middle, color=GREY, lw=0.8)
    small: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": GREY}
    beside: dict[str, Any] = {"va": "center", "annotation_clip": False}
    axes.annotate(f"median\n{median:.2f}", (t[-1], median), (4, 0), **beside, **small)
    axes.annotate("images", (middle, 0), (3, 3), **small)
    axes.set(xlim=(t[0], t[-1]), xlabel="time since the first estimate, s", ylabel="m/s")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def write_words(axes: Any, summary: Mapping[str, Any]) -> None:
    """Write the description and, smaller, how it was come by."""
    axes.axis("off")
    words = textwrap.fill(summary["description"] or "Nothing was seen for long enough.", 54)
    axes.text(0, 1, words, va="top", fontsize=10.5, linespacing=1.45)
    lines = [f"{summary['frames_with_pose']} of {summary['frames']} frames have a pose"]
    if summary["reprojection_px_median"] is not None:
        lines.append(f"reprojection error {summary['reprojection_px_median']:.2g} px (median)")
    latency, rate = summary["image_to_pose_ms"]["p50"], summary["play_rate"]
    if latency is not None and rate is not None:
        lines.append(f"image to pose {latency:.0f} ms (median), at {rate:.2g} × real time")
    axes.text(0, 0, "\n".join(lines), va="bottom", fontsize=8, linespacing=1.5, color=GREY)


def frustum(camera: Camera, size: float) -> list[Array]:
    """Return the edges of a camera's pyramid of view, ``size`` metres deep, each (n, 3) m."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * [camera.width, camera.height]
    rays = np.column_stack([camera.undistort(corners - 0.5), np.ones(5)])  # (5, 3)
    base = camera.centre + size * rays @ camera.R_cw
    return [base, *(np.array([camera.centre, corner]) for corner in base[:4])]


def viewpoint(xyz: Array, centres: Array) -> float:
    """Return the azimuth, degrees, at which the lines of sight to a point lie farthest apart.

    Seen from azimuth a, a horizontal direction b degrees wide of it shows as sin(b − a).
    """
    around = np.arctan2(*(centres - xyz).T[1::-1])  # (C,) rad
    azimuths = np.radians(np.arange(-180, 180, 5))
    shown = np.sort(np.sin(around - azimuths[:, None]), axis=1)  # (K, C)
    apart = np.diff(shown, axis=1).min(axis=1)
    behind = np.cos(around - azimuths[:, None]).mean(axis=1)  # cameras in front hide the path
    return float(np.degrees(azimuths[np.argmax(apart - 0.1 * behind)]))


def _scale_equally(axes: Any, low: Array, high: Array, *, zoom: float) -> None:
    """Give every axis the same scale, in metres, and quiet panes."""
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low, zoom=zoom)
    axes.patch.set_alpha(0)
    axes.set(xlabel="x, m", ylabel="y, m", zlabel="z, m")
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis.line.set_color(PALE)
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_tick_params(pad=-1)
        axis.labelpad = 1
