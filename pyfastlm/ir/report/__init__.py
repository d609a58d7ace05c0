"""A study as tables and as a page with a picture."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.ir.report.writing import write_report

__all__ = ["write_report"]

__getattr__, __dir__ = lazily(__name__, {"writing": ("write_report",)})
