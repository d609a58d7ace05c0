"""The demo's third section: its index, its engines, its page."""

from collections.abc import Iterator
from pathlib import Path

import jobs
import pytest
from markup import Balanced
from searches import TERMS

from pyfastlm.cli.demo_json import completion_json
from pyfastlm.demo import ngrams, qac, qac_html
from pyfastlm.demo.qac import Completion, Size
from pyfastlm.demo.texts import TextsMissing

SMALL = Size(200, 40, 30, ("popularity", "typos", "conjunctive", "context", "rerank"))
COUNTS = TERMS | {"new york": 50.0, "thank you <b>&": 40.0, "bank of america": 20.0}


@pytest.fixture(scope="module")
def completion(tiny_lm_dir: Path) -> Iterator[Completion]:
    with jobs.one_thread():
        yield qac.complete(COUNTS, tiny_lm_dir, size=SMALL, seed=1)


def test_what_was_typed_is_completed(completion: Completion) -> None:
    found = {typed: [answer.term for answer in answers] for typed, answers in completion.examples}
    assert tuple(found) == qac.TYPED
    assert found["new"] == ["new york"]
    assert found["thnak"] == ["thank you <b>&"]
    assert found["of america"] == ["bank of america"]
    assert completion.terms == len(COUNTS)
    assert 0 < completion.microseconds[0] <= completion.microseconds[1]


def test_engines_are_tested_on_days_that_were_not_counted(completion: Completion) -> None:
    names = [row.name for row in completion.comparison.rows]
    assert names == ["popularity", "typos", "conjunctive", "context", "context, other contexts", "rerank",
                     "rerank, other contexts"]  # fmt: skip
    assert {row.report.n for row in completion.comparison.rows} == {40}
    assert 0 < completion.logged < 1000
    assert list(completion.comparison.weights) == ["rerank"]


def test_the_page_shows_terms_as_text(completion: Completion) -> None:
    html = qac_html.sections(completion)
    Balanced(html)
    assert "thank you &lt;b&gt;&amp; <small>(typo)</small>" in html
    for row in completion.comparison.rows:
        assert f">{row.name}<" in html
    assert "Weights of rerank" in html


def test_the_numbers_for_machines(completion: Completion) -> None:
    found = completion_json(completion)
    assert found["examples"]["new"][0] == {"term": "new york", "score": 50.0, "stage": "exact", "distance": 0}
    assert [engine["engine"] for engine in found["engines"]] == [r.name for r in completion.comparison.rows]


def test_real_counts() -> None:
    counts = ngrams.counts()
    assert 300_000 < len(counts) < 350_000
    assert counts["the"] == max(counts.values())
    assert counts["thank you"] > counts["thanks to"]


def test_why_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "MODULE", "no_such_module")
    with pytest.raises(TextsMissing, match="it is not installed"):
        ngrams.counts()
    monkeypatch.setattr(ngrams, "MODULE", "pyfastlm")
    with pytest.raises(TextsMissing, match="its counts cannot be read"):
        ngrams.counts()
