"""The demo's section on prompts and weights: the task, the strategies, the page, the numbers."""

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from statistics import fmean

import jobs
import pytest
from markup import Balanced
from preferences import small_lm

from pyfastlm.cli.demo_json import together_json
from pyfastlm.cli.demo_tables import together_table
from pyfastlm.demo import texts, together, together_html
from pyfastlm.demo.run import _together
from pyfastlm.demo.together import LANGUAGES, QUICK, SHORT, WORDS, Together
from pyfastlm.lm import load
from pyfastlm.together.tasks import Sizes, Task


@pytest.fixture(scope="module")
def found() -> Iterator[Together]:
    with jobs.one_thread():
        yield together.optimise(small_lm(max_position_embeddings=4096), size=QUICK, seed=1)


@pytest.fixture(scope="module")
def trained() -> Iterator[Together]:
    """Where every answer counts as right: weights are tuned."""

    def lenient(sizes: Sizes) -> Task:
        return dataclasses.replace(languages(sizes), correct=lambda answer, gold: True)

    languages = together.languages
    with jobs.one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "languages", lenient)
        yield together.optimise(small_lm(max_position_embeddings=4096), size=QUICK, seed=1)


def test_rows_are_words_of_the_texts_in_their_language() -> None:
    rows = together.languages(SHORT.sizes).rows
    for source in texts.own(5).sources:
        own = [row for row in rows if row.answer == source.language]
        assert bool(own) == (source.language in LANGUAGES)
        whole = " ".join(" ".join(document.text for document in source.documents).split())
        for row in own:
            assert row.inputs["text"] in whole
            assert len(row.inputs["text"].split()) == WORDS
    assert {row.answer for row in rows} == set(LANGUAGES)


def test_letters_tell_languages_that_the_majority_does_not() -> None:
    task = together.languages(SHORT.sizes)
    majority, letters = (
        [fmean(task.references(task.splits(seed))[number].right) for seed in range(5)] for number in (0, 1)
    )
    assert fmean(letters) > fmean(majority) + 0.1


def test_every_strategy_is_tested_on_rows_that_no_step_saw(found: Together) -> None:
    splits = found.task.splits(1)
    assert [cell.strategy for cell in found.grid.cells] == [*QUICK.strategies]
    for cell in found.grid.cells:
        assert cell.reason or cell.ids == tuple(row.id for row in splits.test)
    assert [line.name for line in found.grid.lines] == ["majority", "logistic regression"]
    assert 0 < found.reused < 1


def test_the_model_answers_as_before_and_equal_seeds_agree(found: Together) -> None:
    lm = small_lm(max_position_embeddings=4096)
    before = {name: weight.clone() for name, weight in lm.model.named_parameters()}
    with jobs.one_thread():
        again = together.optimise(lm, size=QUICK, seed=1)
    assert all(
        weight.equal(before[name]) and weight.requires_grad for name, weight in lm.model.named_parameters()
    )
    assert [cell.right for cell in again.grid.cells] == [cell.right for cell in found.grid.cells]
    assert again.calls == found.calls


@pytest.mark.parametrize("which", ["found", "trained"])
def test_the_page_has_every_row_and_strategy(which: str, request: pytest.FixtureRequest) -> None:
    found: Together = request.getfixturevalue(which)
    html = together_html.sections(found)
    Balanced(html)
    assert html.count("<table>") == 4
    _, _, rows = html.partition("Every test row")
    texts_of = {row.id: row.inputs["text"] for row in found.task.rows}
    cells = [cell for cell in found.grid.cells if not cell.reason]
    assert all(escape(texts_of[name]) in rows for name in cells[0].ids)
    right = sum(sum(cell.right) for cell in cells) + sum(sum(line.right) for line in found.grid.lines)
    assert rows.count("&#10003;") == right
    assert html.count("<circle") == len(cells)
    assert "<script" not in html


def test_a_strategy_without_traces_says_so(found: Together) -> None:
    """No run of random weights is right, so W has nothing to learn from."""
    assert "W (no trace passed)" in found.verdict
    assert "P-W less P" not in found.verdict
    assert "none of 4 training runs passed" in together_html.sections(found)


def test_weights_are_tuned_where_traces_pass(trained: Together) -> None:
    assert not any(cell.reason for cell in trained.grid.cells)
    distances = [cell.steps[-1].distance for cell in trained.grid.cells if cell.strategy in ("W", "P-W")]
    assert all(distance is not None and distance > 0 for distance in distances)
    assert "P-W less P: +0.00" in trained.verdict


def test_the_numbers_for_machines_and_people(found: Together, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(json.dumps(together_json(found)))
    assert [*data["strategies"]] == [*QUICK.strategies]
    assert {reference["name"] for reference in data["references"]} == {"majority", "logistic regression"}
    together_table(found)
    out = " ".join(capsys.readouterr().out.split())
    assert found.verdict in out
    assert "Fewer than three seeds" in out


@pytest.mark.parametrize("module", ["dspy", "sklearn"])
def test_left_out_without_a_package(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    missing: list[str] = []
    lm = small_lm(max_position_embeddings=4096)
    assert _together(lm, 0, missing, quick=True, full=False, progress=False) is None
    (reason,) = missing
    assert re.fullmatch(
        rf'prompts and weights: {module} is not installed; run: pip install "pyfastlm\[together\]"', reason
    )


def test_left_out_for_a_model_that_cannot(tiny_lm_dir: Path) -> None:
    missing: list[str] = []
    assert _together(load(tiny_lm_dir), 0, missing, quick=True, full=False, progress=False) is None
    assert missing == [
        "prompts and weights: lm: its tokenizer has no chat template; set tokenizer.chat_template"
    ]


def test_left_out_for_a_model_that_reads_too_little() -> None:
    missing: list[str] = []
    assert _together(small_lm(), 0, missing, quick=True, full=False, progress=False) is None
    (reason,) = missing
    assert reason.startswith("prompts and weights: lm: ")
    assert "tokens, and the model reads" in reason
