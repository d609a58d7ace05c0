"""Labelled pages out of the rows of files: rows of one page are put together."""

from collections.abc import Iterator, Mapping

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import Source
from pyfastlm.selection.filtering.one_line import one_line
from pyfastlm.selection.pages import Page, Pages

ID = "id"


class Rows:
    """Domain, text in one line, and name (None: a page of its own) of each page of a domain with a label.

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
        keys = {"domain_key": domain_key}
        if page_key not in (None, ID):
            keys["page_key"] = str(page_key)
        self._pages = Pages(sources, text_key, keys)
        self._labels, self._page_key = labels, page_key
        self.rows = self.rejected = self.unlabelled = 0

    def __iter__(self) -> Iterator[tuple[str, str, str | None]]:
        held: list[str] = []
        of: tuple[str, str | None] = ("", None)
        for page in self._pages:
            self.rows += 1
            domain = page.fields[0]
            if page.text is None or not isinstance(domain, str):
                self.rejected += 1
                continue
            if domain not in self._labels:
                self.unlabelled += 1
                continue
            new = domain, self._name(page)
            if held and (new != of or new[1] is None):
                yield of[0], one_line("".join(held)), of[1]
                held = []
            of = new
            held.append(page.text)
        if held:
            yield of[0], one_line("".join(held)), of[1]

    def _name(self, page: Page) -> str | None:
        if self._page_key in (None, ID):
            return page.id if self._page_key else None
        value = page.fields[1]
        if isinstance(value, bool) or not isinstance(value, str | int):
            source = self._pages.sources[page.source].name
            raise InputError(
                f"page_key: {source!r}, row {page.row}: expected a string or a whole number under "
                f"{self._page_key!r}, got {value!r}"
            )
        return str(value)
