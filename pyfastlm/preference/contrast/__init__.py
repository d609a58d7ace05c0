"""How much the two answers of pairs differ: words, characters, lengths, and where."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.contrast.measuring import Contrast, Span, contrast
    from pyfastlm.preference.contrast.report import ContrastReport, Summary, contrast_report
    from pyfastlm.preference.contrast.showing import tables, write_page

__all__ = [
    "Contrast",
    "ContrastReport",
    "Span",
    "Summary",
    "contrast",
    "contrast_report",
    "tables",
    "write_page",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "measuring": ("Contrast", "Span", "contrast"),
        "report": ("ContrastReport", "Summary", "contrast_report"),
        "showing": ("tables", "write_page"),
    },
)
