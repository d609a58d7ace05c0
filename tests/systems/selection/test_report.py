"""Correlations of benchmarks, all that is said about a selection, and the page that says it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from planted import errors_of, matrix_of, plant

from pyfastlm.cli.show import _strict
from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.selection import (
    Analysis,
    BenchmarkErrors,
    BpbMatrix,
    Options,
    analyse,
    bootstrap,
    correlate,
    partial_spearmanr,
    permutation_test,
    save_correlations,
    select,
    write_report,
)  # fmt: skip
from pyfastlm.selection.report.tables import verdict

HOSTILE = "<script>alert(1)</script> $x_$ | `b` \x07 中文"


@pytest.fixture(scope="module")
def tables() -> tuple[BpbMatrix, BenchmarkErrors]:
    x, y, _ = plant(1, models=24, domains=40, quality=0.3)
    values = np.column_stack([y, np.random.default_rng(0).permutation(y)])
    matrix = matrix_of(x, families=[row // 2 for row in range(24)], tokens=np.arange(100, 140))
    domains = (HOSTILE, *matrix.domains[1:])
    named = BpbMatrix(
        matrix.models, matrix.families, domains, matrix.tokens, matrix.bytes, matrix.documents, matrix.source
    )
    errors = errors_of(values)
    return named, BenchmarkErrors(
        errors.models[:-1], errors.families[:-1], ("good", HOSTILE), errors.values[:-1]
    )


@pytest.fixture(scope="module")
def analysis(tables: Any) -> Analysis:
    return analyse(
        *tables, Options(keep=0.2), groups={"good": ["good"], "both": ["good", HOSTILE]}, replicates=30,
        permutations=60, draws=3,
    )  # fmt: skip


def test_correlations_are_those_of_the_parts(tables: Any, tmp_path: Path) -> None:
    matrix, errors = tables
    found = correlate(matrix, errors, replicates=40, permutations=50, seed=3)
    assert [one.benchmark for one in found] == ["good", HOSTILE]
    x, y = matrix.source[:-1], errors.values
    families = matrix.families[:-1]
    intervals = bootstrap("spearmanr", x, y, replicates=40, families=families, seed=3)
    tests = permutation_test(matrix, errors, permutations=50, seed=3)
    given = x @ (matrix.tokens / matrix.tokens.sum())
    for column, one in enumerate(found):
        assert one.left_out == (("m23", "has no errors"),)
        for name in ("estimate", "low", "high"):
            assert_array_equal(getattr(one, name), getattr(intervals, name)[:, column])
        assert one.significance is not None
        for name in ("p", "family_wise", "q"):
            assert_array_equal(getattr(one.significance, name), getattr(tests[column], name))
        assert np.abs(one.partial - partial_spearmanr(x, y[:, column], given)).max() < 1e-12
    save_correlations(found, tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.num_rows == 80
    assert_array_equal(table["family_wise"].to_numpy()[40:], tests[1].family_wise)
    assert table["domain"][40].as_py() == HOSTILE


def test_no_permutations_are_possible_is_said_and_no_failure() -> None:
    x, y, _ = plant(2, models=9, domains=12)
    families = ["a"] * 4 + ["b"] * 3 + ["c"] * 2
    (one,) = correlate(x, y, families=families, replicates=0, permutations=10)
    assert one.significance is None
    assert one.remark.startswith("families: expected 20 or more ways to exchange families of the same size")
    assert np.isnan(one.low).all()
    assert one.cells(1)[0][4:] == ["", "", ""]
    with pytest.raises(InputError, match=r"^permutations: expected a whole number >= 0, got -1$"):
        correlate(x, y, permutations=-1)


def test_an_analysis_is_made_of_its_parts(tables: Any, analysis: Analysis) -> None:
    one = select(*tables, keep=0.2, groups={"both": ["good", HOSTILE]}, replicates=30)[0]
    assert_array_equal(analysis.selections[1].frequency, one.frequency)
    assert [one.name for one in analysis.influences] == ["good", "both"]
    assert len(analysis.influences[0].families) == 12
    text = json.dumps(_strict(analysis.as_dict()), allow_nan=False)
    assert json.loads(text)["prediction"]["benchmarks"][0]["name"] == "good"


class Outline(HTMLParser):
    """Tags that are open, all tags and ids, all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in {"meta", "path", "use", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"path", "use"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page(analysis: Analysis, tmp_path: Path) -> None:
    write_report(analysis, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert "script" not in outline.tags
    assert {"svg", "table", "details"} <= outline.tags
    assert len(outline.ids) == len(set(outline.ids))
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert not re.search(r"#01020[0-9]", page), "a colour that is none of the page"
    for part in ("all domains", "inverted", "m23 has no errors", "without", "family-wise"):
        assert part in outline.text
    assert all(verdict(one) in outline.text for one in analysis.prediction.benchmarks)
    write_report(analysis, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == page
    assert len(page) < 600_000


def test_many_domains_make_no_large_page() -> None:
    x, y, _ = plant(4, models=10, domains=20_000)
    found = analyse(x, y, Options(keep=0.1), replicates=0, permutations=0, draws=1)
    from pyfastlm.selection.report import html as report_html

    assert len(report_html.page(found)) < 1_000_000


def test_markdown(analysis: Analysis, tmp_path: Path) -> None:
    write_report(analysis, tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text("utf-8")
    widths: dict[int, int] = {}
    for place, line in enumerate(text.splitlines()):
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            assert widths.get(place - 1, cells) == cells
            widths[place] = cells
    assert not re.search(r"(?<!\\)[<$`]", text)
    assert "## Left out" in text


def test_other_files_are_refused(analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^path: expected a name ending in .html or .md, got 'r.pdf'$"):
        write_report(analysis, "r.pdf")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pyfastlm\[selection\]"):
        write_report(analysis, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_selection_without_an_interval_is_drawn() -> None:
    """No replicates, domains without an estimate, one benchmark: nothing to warn about."""
    x, y, _ = plant(3, models=10, domains=12)
    x[:, 3] = 1.0
    found = analyse(x, y, Options(keep=0.3, projection="l2"), replicates=0, permutations=0, draws=2)
    from pyfastlm.selection.report import html as report_html

    assert "No permutations" in report_html.page(found)
