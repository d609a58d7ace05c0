"""The picture: texts whose bytes are shaded by their gates, the deleted ones struck through."""

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from pyfastlm.mrt5.show import MARK, Rate, Shown, rates

SHADES = 8
# Nothing is loaded and nothing runs, whatever a text may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# HTML has no way to hold these characters, so their pictures are shown.
PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) != "\n"} | {0x7F: "\u2421"}
JOINER = "\u200d"
VIRAMA = 9  # combining class: makes one shape of the letters around it


def page(shown: Sequence[Shown], model: str) -> str:
    """The whole page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK}
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What a gate deletes</title>
<style>
{_css("show_page.css")}{style()}</style>
</head>
<body>
<main>
<h1>What a gate deletes</h1>
<p>{escape(model)}. {legend()}</p>
{table(rates(shown))}
{articles(shown)}</main>
</body>
</html>
"""


def style() -> str:
    """The rules that :func:`legend`, :func:`table` and :func:`articles` need."""
    return _css("show.css")


def legend() -> str:
    """How to read the colours."""
    keys = "".join(f'<span class="g g{n}">&nbsp;</span>' for n in range(SHADES))
    return (
        f'Gate open <span class="gates">{keys}</span> closed; '
        '<span class="g g7 x">deleted</span>. A character of several bytes stands above its bytes, in '
        "hexadecimal; it is struck through where all of them are deleted."
    )


def table(found: Sequence[Rate]) -> str:
    """Deletion by language."""
    rows = "".join(
        f"<tr><th>{escape(rate.language)}</th><td>{rate.texts}</td><td>{rate.bytes:,}</td>"
        f"<td>{rate.bytes / max(rate.characters, 1):.2f}</td><td>{rate.deleted:.1%}</td></tr>\n"
        for rate in found
    )
    return f"""<table class="rates">
<thead><tr><th>language</th><th>texts</th><th>bytes</th><th>bytes/character</th><th>deleted</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
"""


def articles(shown: Sequence[Shown]) -> str:
    """The texts, one under the other."""
    return "".join(_article(one) for one in shown)


def _css(name: str) -> str:
    return files("pyfastlm.mrt5").joinpath(name).read_text("utf-8")


def _article(one: Shown) -> str:
    cut = f" · {one.cut:,} bytes cut off" if one.cut else ""
    about = f"{one.deleted:.1%} of {len(one.kept):,} bytes deleted{cut}"
    return f"""<article class="shown">
<h4>{escape(one.language)} <span class="note">{about}</span></h4>
<p class="gated" dir="auto">{"".join(_pieces(one))}</p>
</article>
"""


def clusters(text: str) -> Iterator[str]:
    """``text`` in pieces that are drawn as one: a letter with its marks, what a joiner or virama joins."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _joined(text[at - 1], text[at]):
            yield text[start:at]
            start = at


def _joined(before: str, after: str) -> bool:
    return (
        unicodedata.category(after)[0] == "M"
        or JOINER in (before, after)
        or unicodedata.combining(before) == VIRAMA
    )


def _pieces(one: Shown) -> Iterator[str]:
    at = 0
    for cluster in clusters(one.text):
        data = cluster.encode()
        gates = list(zip(data, one.closed[at : at + len(data)], one.kept[at : at + len(data)], strict=True))
        at += len(data)
        face = escape(cluster.translate(PICTURES)).replace("\n", "↵")
        if len(data) == 1:
            yield f'<span class="{_classes(*gates[0][1:])}">{face}</span>'
        else:
            gone = "" if any(kept for _, _, kept in gates) else " x"
            below = "".join(
                f'<i class="{_classes(value, kept)}">{byte:02x}</i>' for byte, value, kept in gates
            )
            yield f'<span class="c"><b class="f{gone}">{face}</b><span class="d">{below}</span></span>'
        if cluster == "\n":
            yield "\n"


def _classes(closed: float, kept: bool) -> str:
    shade = min(max(int(closed * SHADES), 0), SHADES - 1)
    return f"g g{shade}" + ("" if kept else " x")
