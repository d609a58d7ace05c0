"""Plain text of pages in HTML, manual pages and Perl's documentation, roughly: enough to train on."""

import re
from html.parser import HTMLParser

BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "dt", "dd", "pre", "div", "tr", "br"}
HIDDEN = {"script", "style", "nav", "head", "footer"}
BREAKS = {"SH", "SS", "Sh", "Ss", "PP", "TP", "Pp", "It", "P", "IP", "LP"}  # requests of manual pages
CARRY = {"SH", "SS", "B", "I", "BR", "RB", "IR", "RI", "BI", "IB", "Nd", "Sh", "Pa", "Nm", "Ar", "Fl", "Xr"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in HIDDEN
        self._kept += tag == "pre"
        if tag in BLOCKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN and self._hidden > 0
        self._kept -= tag == "pre" and self._kept > 0
        if tag in BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data if self._kept else re.sub(r"\s+", " ", data))


def html(data: bytes) -> str:
    """What a page shows, paragraphs apart by an empty line."""
    page = _Page()
    page.feed(data.decode("utf-8", "replace"))
    page.close()
    return tidy("".join(page.parts))


def roff(data: bytes) -> str:
    """The text of a manual page: requests that carry text keep it, others go."""
    lines = []
    for line in data.decode("utf-8", "replace").splitlines():
        if match := re.match(r"[.']\s*(\w+)\s*(.*)", line):
            name, rest = match.groups()
            if name in BREAKS:
                lines.append("")
            if name in CARRY:
                lines.append(rest.replace('"', ""))
        elif not line.startswith((".", "'")):
            lines.append(line)
    text = re.sub(r"\\f(?:[BIRP]|\[\w*\]|\(\w\w)", "", "\n".join(lines))
    text = re.sub(r"\\\((\w\w)|\\\[\w+\]|\\[&|^/,%:]|\\s[-+]?\d", "", text)
    return tidy(text.replace(r"\-", "-").replace(r"\e", "\\").replace(r"\ ", " "))


def pod(data: bytes) -> str:
    """Perl's documentation without its codes."""
    text = data.decode("utf-8", "replace")
    for _ in range(3):  # codes nest
        text = re.sub(r"X<[^<>]*>", "", text)
        text = re.sub(r"[A-Z]<([^<>]*)>", r"\1", text)
    return tidy(
        re.sub(r"^=(?:cut|over|back|begin|end|for|encoding|pod).*$|^=(?:head\d|item)\s", "", text, flags=re.M)
    )


def plain(data: bytes) -> str:
    return tidy(data.decode("utf-8", "replace"))


def tidy(text: str) -> str:
    """Without blanks at the ends of lines, and one empty line where there were more."""
    text = text.replace("\r", "")
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t\xa0]+\n", "\n", text)).strip()
