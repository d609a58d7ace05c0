"""The demo's section on what a small network stores: the edits, the page, the numbers."""

import json
from collections.abc import Iterator

import jobs
import pytest
from markup import Balanced

from pyfastlm.cli.demo_json import peeling_json
from pyfastlm.cli.demo_tables import peeling_table
from pyfastlm.demo import onion, onion_html
from pyfastlm.demo.onion import QUICK, Peeling
from pyfastlm.onion.grid import COMMON, KINDS


@pytest.fixture(scope="module")
def found() -> Iterator[Peeling]:
    with jobs.one_thread():
        yield onion.peel(size=QUICK, seed=1)


def test_every_edit_is_scored_under_all_conditions(found: Peeling) -> None:
    (cell,) = found.cells
    assert (cell.cell.size, cell.cell.seed) == (12, 1)
    assert {fit.kind for fit in cell.fits} == set(KINDS)
    for fit in cell.fits:
        assert [(row.lengths, row.edits) for row in fit.rows] == list(COMMON)


def test_the_page_has_all_tables_and_gates(found: Peeling) -> None:
    html = onion_html.sections(found)
    Balanced(html)
    assert found.verdict in html
    assert html.count("<table>") == 2 + len(COMMON)
    assert html.count("<rect") == 2 * 4 * 12
    assert "<script" not in html


def test_the_numbers_for_machines_and_people(found: Peeling, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(json.dumps(peeling_json(found)))
    assert len(data["models"][0]["fits"]) == len(KINDS)
    peeling_table(found)
    out = " ".join(capsys.readouterr().out.split())
    assert found.verdict in out
