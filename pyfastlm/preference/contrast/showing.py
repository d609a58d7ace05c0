"""Contrast reports of several builders side by side, as tables and as a page of Markdown."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._markdown import Table, plain, written
from pyfastlm.preference.contrast.measuring import Contrast
from pyfastlm.preference.contrast.report import ContrastReport
from pyfastlm.preference.pairs import PreferencePair

# What the measures of a report are called in a table.
COLUMNS = {
    "jaccard": "Jaccard",
    "levenshtein": "edits",
    "changed": "changed",
    "length_ratio": "length",
    "spans": "spans",
}
LEGEND = (
    "Jaccard: of the sets of words. Edits: of characters. Changed: edits of words, as a share of the words. "
    "Length: of the chosen answer, as a multiple. Spans: places that differ."
)
AROUND = 60  # characters shown before a change and after it


def tables(reports: Mapping[str, ContrastReport]) -> list[Table]:
    """Means with their intervals, and medians with the quartiles; a row for each builder, by its name."""
    columns = ["builder", "pairs", *COLUMNS.values()]
    means, medians = [], []
    for name, report in reports.items():
        first = [name, f"{len(report.contrasts):,}"]
        each = [report.summaries[name] for name in COLUMNS]
        means.append([*first, *(f"{s.mean:.3g} [{s.low:.3g}, {s.high:.3g}]" for s in each)])
        medians.append(
            [*first, *(f"{s.median:.3g} [{s.quartile:.3g}, {s.upper_quartile:.3g}]" for s in each)]
        )
    return [
        Table("Contrast: means", columns, means, f"{LEGEND} In brackets: 95 % intervals, by bootstrap."),
        Table(
            "Contrast: medians", columns, medians, f"{LEGEND} In brackets: the first and the third quartile."
        ),
    ]


def write_page(
    builders: Mapping[str, tuple[Sequence[PreferencePair], ContrastReport]],
    path: "str | os.PathLike[str]",
    *,
    examples: int = 3,
) -> None:
    """Write the tables, and what changed in the first ``examples`` pairs of each builder, as Markdown.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    parts = ["# Contrast of preference pairs"]
    parts += map(written, tables({name: report for name, (_, report) in builders.items()}))
    for name, (pairs, report) in builders.items():
        parts.append(f"## Changes: {plain(name)}")
        shown = zip(pairs[:examples], report.contrasts, strict=False)
        parts += (f"{number}. {_changes(pair, each)}" for number, (pair, each) in enumerate(shown, 1))
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))


def _changes(pair: PreferencePair, found: Contrast) -> str:
    """The first change, with the words around it, and how many more there are."""
    if not found.spans:
        return "only white space differs"
    (start, end), (begin, stop) = found.spans[0]
    before = plain(pair.rejected[max(0, start - AROUND) : start])
    old, new = plain(pair.rejected[start:end]), plain(pair.chosen[begin:stop])
    marked = " ".join(part for part in (old and f"~~{old}~~", new and f"**{new}**") if part)
    rest = plain(pair.chosen[stop : stop + AROUND])
    more = f" ({len(found.spans) - 1:,} more)" if len(found.spans) > 1 else ""
    return f"{before} {marked} {rest}{more}".strip()
