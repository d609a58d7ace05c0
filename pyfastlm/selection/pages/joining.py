"""Labelled pages out of the rows of files: rows of one page are put together."""

from collections.abc import Iterator, Mapping

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import Source
from pyfastlm.selection.pages.one_line import one_line
from pyfastlm.selection.pages.reading import Page, Pages


class Rows:
    """Domain, text in one line, and id (None without ``page_key``) of each page of a domain with a label.

    ``rows``, ``rejected`` and ``unlabelled`` count while they are gone through.
    """

    def __init__(
        self,
        sources: tuple[Source, ...],
        labels: Mapping[str, bool],
        text_key: str,
        domain_key: str,
        page_key: str | None,
    ) -> None:
        keys = (domain_key,) if page_key is None else (domain_key, page_key)
        self._pages = Pages(sources, text_key, keys)
        self._labels, self._by_page, self._page_key = labels, page_key is not None, page_key
        self.rows = self.rejected = self.unlabelled = 0

    def __iter__(self) -> Iterator[tuple[str, str, str | None]]:
        held: list[str] = []
        of: tuple[str, str] | None = None
        for page in self._pages:
            self.rows += 1
            domain = page.fields[0] if page.text is not None else None
            if domain is None or not isinstance(domain, str):
                self.rejected += 1
                continue
            if domain not in self._labels:
                self.unlabelled += 1
                continue
            text = page.text or ""
            if not self._by_page:
                yield domain, one_line(text), None
                continue
            name = domain, self._name(page)
            if name != of and of is not None:
                yield of[0], one_line("".join(held)), of[1]
                held = []
            of = name
            held.append(text)
        if of is not None:
            yield of[0], one_line("".join(held)), of[1]

    def _name(self, page: Page) -> str:
        value = page.fields[1]
        if isinstance(value, bool) or not isinstance(value, str | int):
            source = self._pages.sources[page.source].name
            raise InputError(
                f"page_key: {source!r}, row {page.row}: expected a string or a whole number under "
                f"{self._page_key!r}, got {value!r}"
            )
        return str(value)
