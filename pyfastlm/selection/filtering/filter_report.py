"""What a filter was learned from, and how well it does on what it has not seen."""

from dataclasses import dataclass, fields
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.selection.filtering.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class DomainScore:
    """A held-out domain: its pages, and the mean probability that the filter gives them."""

    domain: str
    included: bool
    pages: int
    mean_probability: float


@dataclass(frozen=True, slots=True)
class FilterReport:
    """Counts and figures of :func:`train_filter`.

    Attributes:
        kind: of the filter.
        seed: of split and training.
        domains, included_domains: with pages, held-out ones among them.
        rows: read; of these ``rejected`` have no text, ``unlabelled`` a domain that no label names.
        pages: the rest, rows of one page put together; of these ``duplicates`` have the text of another, and
            ``conflicts`` a text found in included and excluded domains: both are left out.
        trained, trained_included: pages learned from.
        calibrated: pages that the calibration was fitted on, of the domains learned from.
        held_out_pages: figures on other pages of the domains learned from.
        held_out_domains: figures on the pages of domains of which nothing was learned; None where there are
            no such domains.
        by_domain: each of these domains.
        train_seconds, seconds: for the classifier alone, and for everything.
    """

    kind: str
    seed: int
    domains: int
    included_domains: int
    rows: int
    rejected: int
    unlabelled: int
    pages: int
    duplicates: int
    conflicts: int
    trained: int
    trained_included: int
    calibrated: int
    held_out_pages: Evaluation
    held_out_domains: Evaluation | None
    by_domain: tuple[DomainScore, ...]
    train_seconds: float
    seconds: float

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FilterReport":
        """The report in the form that ``dataclasses.asdict`` gives.

        Raises:
            InputError: fields are missing or too many.
        """
        try:
            found = dict(values)
            domains = found["held_out_domains"]
            found["held_out_pages"] = Evaluation(**found["held_out_pages"])
            found["held_out_domains"] = None if domains is None else Evaluation(**domains)
            found["by_domain"] = tuple(DomainScore(**domain) for domain in found["by_domain"])
            if set(found) != {field.name for field in fields(cls)}:
                raise KeyError("fields")
            return cls(**found)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError("path: the report of the filter is damaged") from None
