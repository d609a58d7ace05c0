"""Pages that are of a domain: text, domain and id of each row, or the reason why it is of no use."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import STDIN, Source
from pyfastlm.selection.pages import Page, Pages, Rows


class DomainPage(NamedTuple):
    """A row, counted from 1; ``text`` and ``domain`` are empty where there is a ``reason``."""

    source: int
    row: int
    text: str
    domain: str
    id: str | None
    reason: str


class DomainPages:
    """The pages of ``sources``; may be gone through again. Arguments are those of :class:`Pages`.

    Raises:
        InputError: a source is plain text or standard input, which have no domain or are gone once read.
    """

    def __init__(self, sources: Sequence[Source], text_key: str, domain_key: str, id_key: str) -> None:
        if any(source.path == STDIN for source in sources):
            raise InputError("inputs: expected files, they are read more than once; got standard input")
        self.sources, self._domain_key = sources, domain_key
        self._pages = Pages(sources, text_key, {"domain_key": domain_key}, id_key)

    def __iter__(self) -> Iterator[DomainPage]:
        return map(self._checked, self._pages)

    def of(self, number: int, wanted: Rows) -> Iterator[DomainPage]:
        """The rows ``wanted`` (rising) of one source."""
        return map(self._checked, self._pages.of(number, wanted))

    def _checked(self, page: Page) -> DomainPage:
        reason, domain = page.reason, None
        if page.text is not None:
            (domain,) = page.fields
            if domain is None:
                reason = f"{self._domain_key!r} is missing or null"
            elif not isinstance(domain, str):
                reason = f"{self._domain_key!r} is {lines.json_type(domain)}, expected a string"
            elif not domain:
                reason = f"{self._domain_key!r} is empty"
        if reason is not None or page.text is None or domain is None:
            return DomainPage(page.source, page.row, "", "", None, reason or "")
        return DomainPage(page.source, page.row, page.text, domain, page.id, "")
