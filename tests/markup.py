"""HTML as a browser sees it."""

from html.parser import HTMLParser

VOID = {"br", "meta"}


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not the one open, or one is left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
