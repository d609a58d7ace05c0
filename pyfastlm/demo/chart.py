"""Two pictures as inline SVG; their colours are classes of ``style.css``."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TypeAlias

from pyfastlm.demo.scoring import Row

Groups: TypeAlias = Sequence[tuple[str, Sequence[Row]]]  # each under its heading

WIDTH = 820
LEFT = 180  # of the plot; labels end there
PLOT = 500
STEP = 24  # from row to row
HEAD = 34  # height of a group's heading
AXIS = 30
UNIFORM = 8.0  # bits per byte of uniform bytes


def bars(groups: Groups) -> str:
    """Bits per byte: a bar for the model, a line for zlib, a ring for the entropy of single bytes."""
    rows = [row for _, group in groups for row in group]
    largest = max(UNIFORM, *(max(row.bits_per_byte, row.zlib) for row in rows))
    scale = _Scale(math.ceil(largest) if largest > UNIFORM else UNIFORM, 1)

    def draw(row: Row, y: float) -> list[str]:
        kind = "control" if row.relative_bits is None else "bar"
        end = scale.at(row.bits_per_byte)
        zlib, entropy = scale.at(row.zlib), scale.at(row.byte_entropy)
        hint = (
            f"{row.name}: {row.bits_per_byte:.3f} bits/byte; zlib {row.zlib:.3f}; "
            f"entropy of single bytes {row.byte_entropy:.3f}"
        )
        return [
            f"<g><title>{escape(hint)}</title>",
            f'<rect class="{kind}" x="{LEFT}" y="{y - 7:g}" width="{end - LEFT:.1f}" height="14" rx="1.5"/>',
            f'<path class="zlib" d="M{zlib:.1f} {y - 9:g}v18"/>',
            f'<circle class="entropy" cx="{entropy:.1f}" cy="{y:g}" r="3.5"/>',
            f'<text class="value" x="{LEFT + PLOT + 12}" y="{y + 4:g}">{row.bits_per_byte:.2f}</text></g>',
        ]

    return _picture("Bits per byte by source", groups, scale, "bits per byte", draw)


def ratios(groups: Groups) -> str:
    """Bits, tokens and bytes for the same content, as multiples of the first language's."""
    rows = [row for _, group in groups for row in group]
    shown = [(r.relative_bits, r.relative_tokens, r.relative_bytes, *(r.interval or ())) for r in rows]
    largest = max(value or 0 for values in shown for value in values)
    scale = _Scale(math.ceil(largest + 0.05), 0.5 if largest < 4 else 1)

    def draw(row: Row, y: float) -> list[str]:
        bits, tokens, size = row.relative_bits or 0, row.relative_tokens or 0, row.relative_bytes or 0
        hint = f"{row.name}: {bits:.2f} times the bits, {tokens:.2f} the tokens, {size:.2f} the bytes"
        drawn = [f"<g><title>{escape(hint)}</title>"]
        if row.interval:
            low, high = (scale.at(end) for end in row.interval)
            drawn.append(f'<path class="interval" d="M{low:.1f} {y:g}H{high:.1f}"/>')
        drawn += [
            f'<path class="bytes" d="M{scale.at(size):.1f} {y - 6:g}v12"/>',
            f'<circle class="tokens" cx="{scale.at(tokens):.1f}" cy="{y:g}" r="4"/>',
            f'<circle class="bits" cx="{scale.at(bits):.1f}" cy="{y:g}" r="4.5"/>',
            f'<text class="value" x="{LEFT + PLOT + 12}" y="{y + 4:g}">{bits:.2f}×</text></g>',
        ]
        return drawn

    return _picture("Cost of the same content", groups, scale, "multiples of English", draw)


class _Scale:
    def __init__(self, largest: float, tick: float) -> None:
        self.largest = largest
        self.ticks = [n * tick for n in range(round(largest / tick) + 1)]

    def at(self, value: float) -> float:
        return LEFT + PLOT * value / self.largest


def _picture(
    title: str, groups: Groups, scale: _Scale, unit: str, draw: Callable[[Row, float], list[str]]
) -> str:
    y = 0.0
    marks: list[str] = []
    for heading, rows in groups:
        y += HEAD
        marks.append(f'<text class="heading" x="0" y="{y - 8:g}">{escape(heading)}</text>')
        for row in rows:
            marks.append(f'<text class="label" x="{LEFT - 10}" y="{y + 12:g}">{escape(row.language)}</text>')
            marks += draw(row, y + 8)
            y += STEP
    bottom = y + 4
    grid = []
    for tick in scale.ticks:
        x = scale.at(tick)
        grid.append(f'<path class="grid" d="M{x:.1f} {HEAD - 6}V{bottom:g}"/>')
        grid.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 16:g}">{tick:g}</text>')
    grid.append(f'<text class="unit" x="{LEFT + PLOT + 12}" y="{bottom + 16:g}">{unit}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + AXIS:g}" role="img" aria-label="{escape(title)}">'
        + "".join([*grid, *marks])
        + "</svg>"
    )
