"""What was taken of a corpus."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError


@dataclass(frozen=True, slots=True)
class CutPage:
    """The page that was cut to fill the budget: where it was, and its tokens before and after."""

    source: str
    row: int
    tokens: int
    taken_tokens: int


@dataclass(frozen=True, slots=True)
class DomainShare:
    """Pages and tokens of a domain, in the corpus and taken."""

    domain: str
    pages: int
    tokens: int
    taken_pages: int
    taken_tokens: int


@dataclass(frozen=True, slots=True)
class AppliedReport:
    """Counts of one job of :func:`apply_filter`.

    Attributes:
        output: the pages taken.
        rejects: a list of rows that were not scored; None where there are none.
        fingerprint: of the filter.
        count: what a token is.
        budget: in tokens.
        pages, tokens: of the corpus that could be scored; ``rejected`` rows could not.
        taken_pages, taken_tokens: in ``output``, the page that was cut among them.
        missing: tokens of the budget that were not taken: 0, unless no page could be cut so.
        lowest: the lowest score of a page taken whole; NaN if none was.
        cut: the page that was cut, if one was.
        domains: of each domain, by name; empty without ``domain_key``.
        resumed: pages whose scores an earlier run had saved.
        seconds: wall time of this call.
    """

    output: Path
    rejects: Path | None
    fingerprint: str
    count: str
    budget: int
    pages: int
    rejected: int
    tokens: int
    taken_pages: int
    taken_tokens: int
    missing: int
    lowest: float
    cut: CutPage | None
    domains: tuple[DomainShare, ...]
    resumed: int
    seconds: float

    @classmethod
    def from_dict(cls, values: dict[str, Any], path: Path) -> "AppliedReport":
        """The report in the form that ``dataclasses.asdict`` gives, of an output at ``path``.

        Raises:
            InputError: it is damaged.
        """
        try:
            found = dict(values)
            found["lowest"] = float("nan") if found["lowest"] is None else float(found["lowest"])
            found["cut"] = None if found["cut"] is None else CutPage(**found["cut"])
            found["domains"] = tuple(DomainShare(**domain) for domain in found["domains"])
            found["output"] = path
            found["rejects"] = None if found["rejects"] is None else path.with_name(str(found["rejects"]))
            return cls(**found)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(f"output: the report of {str(path)!r} is damaged; remove both files") from None
