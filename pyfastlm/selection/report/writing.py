"""The report of an analysis: a page with pictures, or Markdown."""

import os
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._require import expect
from pyfastlm.errors import InputError
from pyfastlm.selection.study.analysis import Analysis


def check_path(path: "str | os.PathLike[str]") -> Path:
    """``path``, which must end in .html or .md.

    Raises:
        InputError: it does not.
        MissingExtra: matplotlib is not installed, for ``.html``.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".md"):
        raise InputError(f"path: expected a name ending in .html or .md, got {os.fspath(path)!r}")
    if target.suffix.lower() == ".html":
        expect(["matplotlib"], "selection")
    return target


def write_report(analysis: Analysis, path: "str | os.PathLike[str]") -> None:
    """Write the report: for ``.html`` one file with pictures, without scripts; for ``.md`` tables only.

    Raises:
        InputError: ``path`` has another ending.
        MissingExtra: matplotlib is not installed, for ``.html``.
        OSError: it cannot be written.
    """
    from pyfastlm.selection.report import html as report_html
    from pyfastlm.selection.report import markdown as report_markdown

    target = check_path(path)
    text = report_markdown.text(analysis) if target.suffix.lower() == ".md" else report_html.page(analysis)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(text.encode("utf-8", "replace"))
