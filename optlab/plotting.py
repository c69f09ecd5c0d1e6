"""The lecture style: figures that can be read at the back of a room and told apart by colour-blind eyes.

A figure is 12.8 x 7.2 inches, a slide of 16:9, with no text below 14 points. Colours are those of Okabe and Ito
(Color Universal Design, 2008). The style is applied through a context and never changes matplotlib's global settings;
it starts from matplotlib's own defaults, so a user's matplotlibrc does not change a figure either.

The same figure gives the same bytes: no date, no version, a fixed salt for SVG identifiers, and text drawn as paths, so
that an SVG looks the same on a machine that lacks the font.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

__all__ = [
    "BLACK",
    "BLUE",
    "COLORS",
    "DPI",
    "GIF_COLORS",
    "GIF_DPI",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "SIZE",
    "SKY",
    "VERMILLION",
    "YELLOW",
    "figure",
    "gif",
    "label_line",
    "png",
    "style",
    "svg",
    "theory_line",
]

BLACK, ORANGE, SKY, GREEN = "#000000", "#e69f00", "#56b4e9", "#009e73"
YELLOW, BLUE, VERMILLION, PURPLE = "#f0e442", "#0072b2", "#d55e00", "#cc79a7"
# Black stays free for theory lines; yellow is last because it is faint on white.
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW)
"""The order in which lines take their colours."""

SIZE = (12.8, 7.2)
DPI = 150
GIF_DPI = 75
GIF_COLORS = 128

# Any, because newer releases of matplotlib type each key and older ones do not.
_STYLE: Any = {
    "figure.figsize": SIZE,
    "figure.constrained_layout.w_pad": 0.15,
    "figure.constrained_layout.h_pad": 0.15,
    "savefig.dpi": DPI,
    "font.size": 16,
    "axes.titlesize": 18,
    "axes.labelsize": 17,
    "xtick.labelsize": 15,
    "ytick.labelsize": 15,
    "legend.fontsize": 15,
    "figure.titlesize": 20,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.8,
    "lines.markersize": 8,
    "patch.linewidth": 1.2,
    "legend.frameon": False,
    "image.cmap": "cividis",
    "svg.fonttype": "path",
    "svg.hashsalt": "optlab",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the lecture style to everything drawn or saved inside the context, and nothing outside it."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def figure(nrows: int = 1, ncols: int = 1, *, size: tuple[float, float] = SIZE, **kwargs: Any) -> tuple[Figure, Any]:
    """Return a figure of `size` inches in the lecture style, and its axes.

    One axes is returned alone, several as an array, as `matplotlib.figure.Figure.subplots` does. The figure belongs to
    no window and needs no display.

    Args:
        nrows: rows of axes.
        ncols: columns of axes.
        size: width and height in inches; text keeps its size, so a smaller figure has larger text for its size.
        **kwargs: passed to `Figure.subplots`, such as `sharey=True` or `width_ratios=(2, 1)`.
    """
    with style():
        sheet = Figure(figsize=size, layout="constrained")
        return sheet, sheet.subplots(nrows, ncols, **kwargs)


def theory_line(ax: Axes, x: ArrayLike, y: ArrayLike, label: str = "theory") -> Line2D:
    """Draw the prediction as a dashed black line above the measurements, and return it."""
    (line,) = ax.plot(x, y, color=BLACK, linestyle=(0, (4, 2)), linewidth=2.2, label=label, zorder=5)
    return line


def label_line(ax: Axes, line: Line2D, text: str | None = None, *, at: float = 1.0) -> Annotation:
    """Write a line's label beside it in its own colour, which reads faster than a legend, and return the text.

    Args:
        ax: the axes of the line.
        line: a line that is already drawn.
        text: what to write; the line's label if None.
        at: which of its points to write at, as a fraction of their number; 1 is the last one.
    """
    xs, ys = np.asarray(line.get_xdata(orig=False)), np.asarray(line.get_ydata(orig=False))
    point = round(at * (len(xs) - 1))
    return ax.annotate(
        str(line.get_label()) if text is None else text,
        (xs[point], ys[point]),
        xytext=(8, 0),
        textcoords="offset points",
        color=line.get_color(),
        verticalalignment="center",
        annotation_clip=False,
    )


def png(sheet: Figure) -> bytes:
    """Return the figure as PNG at 150 dots an inch, the same bytes for the same figure; its layout is then fixed.

    It has a palette of 256 colours, which no eye tells from the full ones in a line drawing and which keeps a still
    under 300 kB.
    """
    full, target = Image.open(io.BytesIO(_saved(sheet, "png", {"Software": None}))), io.BytesIO()
    # By an octree, which keeps a thin line's colour; cutting at medians gives it up for more shades of the common ones.
    reduced = full.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    reduced.save(target, "png", optimize=True, dpi=(DPI, DPI))
    return target.getvalue()


def svg(sheet: Figure) -> bytes:
    """Return the figure as SVG, the same bytes for the same figure; its layout is then fixed."""
    return _saved(sheet, "svg", {"Date": None, "Creator": None})


def gif(frames: Iterable[Figure], *, seconds: float = 0.1, rest: float = 3.0) -> bytes:
    """Return an animation that repeats for ever, at 75 dots an inch, the same bytes for the same frames.

    All frames have 128 colours of the last one, which holds everything that was drawn: then only the pixels that
    change are stored, and an animation of lines stays far under 3 MB.

    Args:
        frames: Figures of one size, at least one; the same figure may come again, changed, and keeps its layout.
        seconds: How long a frame is shown.
        rest: How long the last one is.

    Raises:
        ValueError: if there is no frame.
    """
    shots = [Image.open(io.BytesIO(_saved(each, "png", {"Software": None}, GIF_DPI))).convert("RGB") for each in frames]
    if not shots:
        raise ValueError("frames: got none, expected at least one figure")
    palette = shots[-1].quantize(GIF_COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    first, *others = (shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots)
    durations, target = [*[round(1000 * seconds)] * len(others), round(1000 * rest)], io.BytesIO()
    first.save(target, "gif", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return target.getvalue()


def _saved(sheet: Figure, form: str, metadata: dict[str, None], dpi: float = DPI) -> bytes:
    target = io.BytesIO()
    with style():
        # The constrained layout moves a little with every drawing: settle it once, so that every file shows the same.
        if sheet.get_layout_engine() is not None:
            sheet.draw_without_rendering()
            sheet.set_layout_engine("none")
        sheet.savefig(target, format=form, metadata=metadata, dpi=dpi)
    return target.getvalue()
