"""The demo's section on learning in context: the task, the curves, the rows, the page."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jobs
import numpy as np
import pytest
from markup import Balanced

from pyfastlm.cli.demo_json import learning_json
from pyfastlm.cli.demo_tables import learning_table
from pyfastlm.demo import debian, icl, icl_html, symspell, wordnet
from pyfastlm.demo.icl import COLUMNS, HMMS, Learning, Size
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.icl import LAWS, Example, Task, compare, icl_curve
from pyfastlm.lm import LM, load

SMALL = Size(8, 3, 16, 20)
TASK = Task(
    "<b>&", tuple(Example(f"{a}{b}", ("old", "new")[n % 2]) for a in "abcd" for n, b in enumerate("klmn")),
    labels=("new", "old"), question="{input}:", separator="\n",
)  # fmt: skip
DATA = """  1 This software and database is being provided
00000100 05 n 01 lobster 0 001 @ 00000001 n 0000 | it has claws
00000200 13 n 01 lobster 0 001 @ 00000001 n 0000 | it is eaten
00000300 15 n 01 paris 0 001 @i 00000001 n 0000 | a single place
00000400 20 n 01 elm 0 001 @ 00000001 n 0000 | a tree
00000500 09 n 01 hope 0 001 @ 00000001 n 0000 | none of the kinds
"""
INDEX = """  1 This software and database is being provided
elm n 1 2 @ ~ 1 0 00000400
hope n 1 1 @ 1 0 00000500
lobster n 2 2 @ ~ 2 1 00000100 00000200
paris n 1 1 @i 1 0 00000300
quokka n 1 1 @ 1 0 00000100
"""


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(scope="module")
def found(lm: LM) -> Iterator[Learning]:
    with jobs.one_thread():
        yield icl.learn(lm, TASK, size=SMALL, seed=2)


def test_words_are_frequent_and_their_first_meaning_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [("./index.noun", INDEX.encode()), ("./data.noun", DATA.encode())]
    monkeypatch.setattr(debian, "members", lambda package, suffix: files)
    listed = [(word, 1.0) for word in ("elm", "lobster", "paris", "hope")]
    monkeypatch.setattr(symspell, "english", lambda: listed)
    task = wordnet.words(tmp_path)
    assert task.examples == (Example("lobster", "animal"), Example("elm", "plant"))
    monkeypatch.setattr(debian, "members", lambda *_: pytest.fail("it is kept"))
    assert wordnet.words(tmp_path) == task


def test_without_the_package_there_is_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(symspell, "english", list)
    with pytest.raises(TextsMissing, match="apt-get is not installed"):
        wordnet.words(tmp_path)


def test_the_curves_are_of_the_task_and_of_exact_bayes(lm: LM, found: Learning) -> None:
    expected = icl_curve(lm, TASK, shots=8, permutations=3, seed=2)
    np.testing.assert_allclose(found.curve.p, expected.p, rtol=1e-4)
    assert not np.array_equal(found.control.p, found.curve.p)
    assert found.ginc.shape == (HMMS, 16)
    start, end = np.exp(-found.ginc[:, :2]).mean(), np.exp(-found.ginc[:, -4:]).mean()
    assert end > start + 0.05  # which of the models it is becomes clear


def test_rows_are_what_compare_says(found: Learning) -> None:
    scores = compare([(found.shots, found.ginc)], fractions=(0.2,), seed=2).scores
    assert [row.law for row in found.rows] == [score.law for score in scores]
    for row, score in zip(found.rows, scores, strict=True):
        assert row.errors[2] == pytest.approx(score.nrmse, rel=1e-6)
        assert row.n_params == score.n_params
        assert len(row.errors) == len(COLUMNS)


def test_the_page_has_all_rows_and_points(found: Learning) -> None:
    html = icl_html.sections(found)
    Balanced(html)
    for row in found.rows:
        assert f"{row.law}</th><td>{row.n_params}</td><td>{row.errors[0]:.4f}</td>" in html
    assert html.count("<circle") == 2 * 8 + HMMS * 16 + 3  # measured, control, exact Bayes; keys
    assert "<script" not in html


def test_the_numbers_for_machines_and_people(found: Learning, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(json.dumps(learning_json(found)))
    assert data["prob"] == found.curve.p.mean(axis=0).tolist()
    assert Counter(row["law"] for row in data["laws"] if row["law"] in LAWS) == dict.fromkeys(LAWS, 1)
    learning_table(found)
    out = " ".join(capsys.readouterr().out.split())
    assert found.verdict in out
    assert f"{found.rows[0].errors[1]:.4f}" in out
