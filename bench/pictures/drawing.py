"""
A small kit for pictures: scales, lines, areas, dots and words in, one SVG text out.

Every picture brings its own ground and both of its colour schemes, so that it can be read on a light and on a dark
page; everything that a colour says is said by a label or a dash as well.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH = 760
"""Units across, about the width of a page of text; letters of 15 units are then as large as the text around."""

_STYLE = """
  svg { --ground: #ffffff; --edge: #e2e5ea; --grid: #eceef2; --text: #181b20; --quiet: #5f6775; --ours: #3a4ac8;
        --soft: #e3e6fb; --bad: #b0251d; --bad-soft: #fbe3e1; --other: #858c99; --ok: #0d6839; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #15181d; --edge: #2a2f37; --grid: #242930; --text: #e9ebef; --quiet: #a0a8b5; --ours: #9aa6ff;
          --soft: #2a3160; --bad: #ff938a; --bad-soft: #452320; --other: #7d8694; --ok: #62cf93; }
  }
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
         font-size: 15px; fill: var(--text); }
  .head { font-size: 19px; font-weight: 650; } .small, .tick { font-size: 14px; } .tick, .quiet { fill: var(--quiet); }
  .strong { font-weight: 650; } .large { font-size: 26px; font-weight: 650; }
  .is-ours { fill: var(--ours); } .is-bad { fill: var(--bad); } .is-other { fill: var(--quiet); }
  .is-ok { fill: var(--ok); }
  .ground { fill: var(--ground); stroke: var(--edge); } .grid { stroke: var(--grid); } .axis { stroke: var(--other); }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
  .ours { stroke: var(--ours); stroke-width: 3.2; } .bad { stroke: var(--bad); } .other { stroke: var(--other); }
  .limit { stroke: var(--text); stroke-dasharray: 2 5; stroke-width: 2; } .dashed { stroke-dasharray: 8 5; }
  .fill-ours { fill: var(--ours); } .fill-bad { fill: var(--bad); } .fill-other { fill: var(--other); }
  .fill-soft { fill: var(--soft); } .fill-bad-soft { fill: var(--bad-soft); } .hollow { fill: var(--ground); }
  .halo { stroke: var(--ground); stroke-width: 5px; stroke-linejoin: round; paint-order: stroke; }
"""

Pair = tuple[float, float]


@dataclass(slots=True)
class Picture:
    """What is drawn so far. `title` and `told` are for those who do not see it."""

    title: str
    told: str
    height: int
    parts: list[str] = field(default_factory=list)

    def words(self, x: float, y: float, text: str, look: str = "", *, anchor: str = "start") -> None:
        place = f'x="{x:.1f}" y="{y:.1f}"'
        self.parts.append(f'<text {place} text-anchor="{anchor}" class="{look}">{escape(text)}</text>')

    def head(self, text: str, below: str = "") -> None:
        """The message of the picture, and under it what exactly is drawn."""
        self.words(28, 40, text, "head")
        self.words(28, 64, below, "small quiet")

    def line(self, points: Iterable[Pair], look: str) -> None:
        self.parts.append(f'<path d="{_path(points)}" class="line {look}"/>')

    def area(self, points: Iterable[Pair], look: str) -> None:
        self.parts.append(f'<path d="{_path(points)}Z" class="{look}"/>')

    def box(self, corner: Pair, size: Pair, look: str, *, round_by: float = 3) -> None:
        where = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}"'
        self.parts.append(f'<rect {where} rx="{round_by}" class="{look}"/>')

    def dot(self, x: float, y: float, look: str, *, radius: float = 4.5) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{look}"/>')

    def svg(self) -> str:
        size = f'viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}"'
        ground = f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{self.height - 1}" rx="10" class="ground"/>'
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title told">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="told">{escape(self.told)}</desc>',
            f"<style>{_STYLE}</style>",
            ground,
            *self.parts,
            "</svg>\n",
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """The field of a chart: values in, places out."""

    picture: Picture
    across: Pair
    up: Pair
    left: float = 72
    right: float = WIDTH - 28
    top: float = 92
    bottom: float = 330

    def x(self, value: float) -> float:
        low, high = self.across
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.up
        inside = min(max(value, low), high)
        return self.bottom - (inside - low) / (high - low) * (self.bottom - self.top)

    def places(self, values: Iterable[Pair]) -> list[Pair]:
        return [(self.x(x), self.y(y)) for x, y in values]

    def levels(self, values: Sequence[float], said: Callable[[float], str]) -> None:
        """Horizontal lines with their values at the left."""
        for value in values:
            self.picture.line([(self.left, self.y(value)), (self.right, self.y(value))], "grid")
            self.picture.words(self.left - 10, self.y(value) + 5, said(value), "tick", anchor="end")

    def ticks(self, values: Sequence[float], said: Callable[[float], str], named: str) -> None:
        """The line at the bottom with its values, and what they are."""
        self.picture.line([(self.left, self.bottom), (self.right, self.bottom)], "axis")
        for value in values:
            self.picture.words(self.x(value), self.bottom + 22, said(value), "tick", anchor="middle")
        self.picture.words((self.left + self.right) / 2, self.bottom + 46, named, "tick", anchor="middle")


def percent(share: float, digits: int = 0) -> str:
    """`0.058` as `5.8 %`, with a narrow space that does not break."""
    return f"{100 * share:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def _path(points: Iterable[Pair]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
