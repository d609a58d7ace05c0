"""A folder with the report: JSON for the next comparison, Markdown, and a page for a browser."""

import os
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm.bench import files, markdown, page
from pyfastlm.bench.regressions import Comparison
from pyfastlm.bench.results import Report
from pyfastlm.errors import InputError

NAMES = ("bench.json", "bench.md", "bench.html")


def prepared(folder: "str | os.PathLike[str]") -> Path:
    """``folder``, made and seen to be writable: better now than after an hour.

    Raises:
        InputError: it is not.
    """
    target = Path(folder)
    probe = target / f".{NAMES[0]}.{os.getpid()}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"output: cannot write to {str(target)!r}: {error.strerror}") from error
    return target


def write(
    report: Report, folder: "str | os.PathLike[str]", *, comparison: Comparison | None = None
) -> list[Path]:
    """Write ``bench.json``, ``bench.md`` and ``bench.html`` into ``folder``, which is made if it does not
    exist; files of these names are replaced, each as a whole. Returns their paths.

    Raises:
        InputError: ``folder`` cannot be made, or is not writable.
        OSError: the disk is full.
    """
    target = prepared(folder)
    contents = (files.as_json(report), markdown.written(report, comparison), page.page(report, comparison))
    paths = [target / name for name in NAMES]
    for path, content in zip(paths, contents, strict=True):
        with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
            file.write(content.encode("utf-8", "replace"))
    return paths
