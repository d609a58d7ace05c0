"""The demo's section on preferences: the sentences, the revisions, the trainings, the page, the numbers."""

import dataclasses
import json
import math
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jobs
import numpy as np
import pytest
from markup import Balanced
from tiny import save_tiny_lm, tiny_tokenizer

from pyfastlm.cli.demo_json import preferences_json
from pyfastlm.cli.demo_tables import preferences_table
from pyfastlm.demo import preference, preference_html, preference_tables, texts
from pyfastlm.demo.preference import RUNS, Preferences, Size
from pyfastlm.demo.preference_texts import Sentence, mend, misspelt, sentences
from pyfastlm.demo.run import _preferences
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.lm import LM, load
from pyfastlm.preference import PreferencePair, Reason, TrainingOptions, precompute, train
from pyfastlm.preference.builders import Built, Outcome
from pyfastlm.preference.drift import bits_per_byte
from pyfastlm.preference.runs import split

SMALL = Size(2, 5, 3, 2, 2)
FLAWED = Sentence("area<b>", "Return a area of the the circle & more of the same kind.")
SOURCE = '''
class Shape:
    """One closed line, and what is in it.

    It may be a open line too, but then there is no area at all.
    """

    def area(self, scale: float = 1.0) -> float:
        r"""Return the area of the shape in square metres."""

    def _hidden(self):
        """Return the area of what nobody can see here."""

    def again(self):
        """Return the area of the shape in square metres."""

async def area(url):
    """Ask a server for the area of a shape of yours."""
    text = """Not a docstring, but an other text that is there."""
'''


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shapes").mkdir()
    for name in ("__init__", "more"):  # the second has nothing new
        (tmp_path / "shapes" / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    sentences.cache_clear()


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LM:
    directory = tmp_path_factory.mktemp("longer")
    save_tiny_lm(directory, max_position_embeddings=512)
    return load(directory)


@pytest.fixture(scope="module")
def found(lm: LM) -> Iterator[Preferences]:
    with jobs.one_thread():
        yield preference.prefer(lm, size=SMALL, seed=3)


# Sentences


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Limit an caching allocator to a optimal size.", "Limit a caching allocator to an optimal size."),
        ("The order of the the parameters in in memory.", "The order of the parameters in memory."),
        ("Restricted to to an open set, by by rows.", "Restricted to an open set, by rows."),
    ],
)  # fmt: skip
def test_errors_are_mended(wrong: str, right: str) -> None:
    assert mend(wrong) == right
    assert mend(right) == right


@pytest.mark.parametrize(
    "right",
    [
        "A user reads a unit, a one-hot vector and a European number, once a useful one.",
        "An hour, an x-ray, an fx graph, an nn.Module, an rvalue and an LSTM.",
        "Compares a and b, a or b; a in-place operation of in in-place form.",
        "Of a ones tensor, a unique id, a uint8, a URL, a url and a usual unit.",
        "What it is is the the_name of a `index` and a index_select call.",
    ],
)
def test_what_is_right_stays(right: str) -> None:
    assert mend(right) == right


@pytest.mark.usefixtures("sources")
def test_sentences_are_those_of_docstrings() -> None:
    flawed, plain = sentences(("shapes",))
    assert flawed == (Sentence("Shape", "It may be a open line too, but then there is no area at all."),)
    # A text comes once, a name with its first one, and what is hidden not at all.
    assert plain == (
        Sentence("Shape", "One closed line, and what is in it."),
        Sentence("area", "Return the area of the shape in square metres."),
    )
    assert plain[1].prompt == "What does `area` do?"


def test_the_packages_of_the_demo_have_enough() -> None:
    flawed, plain = sentences()
    assert flawed
    assert len(plain) >= preference.FULL.learnt + preference.FULL.held_out
    for each in flawed:
        assert 40 <= len(each.text) <= 110
        assert mend(mend(each.text)) == mend(each.text) != each.text
    assert len({each.prompt for each in plain}) == len({each.text for each in plain}) == len(plain)


def test_a_misspelling_is_one_place_of_the_sentence() -> None:
    given = [Sentence("area", "Return the area of the shape."), Sentence("line", "Draw a line to the shape.")]
    pairs = misspelt(given, seed=1)
    assert pairs == misspelt(given, seed=1)
    assert [(pair.prompt, pair.chosen) for pair in pairs] == [(each.prompt, each.text) for each in given]
    for pair in pairs:
        assert sum(a != b for a, b in zip(pair.chosen.split(), pair.rejected.split(), strict=True)) == 1


def test_without_sources_there_is_no_sentence() -> None:
    with pytest.raises(TextsMissing, match="no_such_package: its sources are not installed"):
        sentences(("no_such_package",))


@pytest.mark.usefixtures("sources")
def test_too_few_sentences_are_said(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    few = sentences(("shapes",))
    monkeypatch.setattr(preference, "sentences", lambda: few)
    with pytest.raises(TextsMissing, match="1 sentences with an error and 2 without are too few"):
        preference.prefer(lm, size=SMALL)


def test_a_missing_package_and_a_model_without_an_end_leave_the_section_out(
    lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(given: LM) -> str:
        missing: list[str] = []
        with jobs.one_thread():
            assert _preferences(given, 0, missing, quick=True, full=False, progress=False) is None
        (reason,) = missing
        return reason

    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    reason = refused(LM(lm.model, tokenizer, "endless"))
    assert reason.startswith("learning from preferences: tokenizer: expected one with an eos token")
    monkeypatch.setitem(sys.modules, "peft", None)
    assert refused(lm).startswith("learning from preferences: peft is not installed")


# The experiment


def test_every_sentence_has_a_pair_or_a_reason(found: Preferences) -> None:
    assert len(found.asked) == len(found.model.outcomes) == len(found.rule.outcomes) == 2
    for asked, outcome in zip(found.asked, found.rule.outcomes, strict=True):
        assert outcome.pair == PreferencePair(asked.prompt, mend(asked.text), asked.text)
    assert found.model.statistics.rows == 2
    assert set(found.contrasts) == ({"model", "rule"} if found.model.pairs else {"rule"})


def test_runs_are_what_training_says(lm: LM, found: Preferences) -> None:
    assert [(run.objective, run.shuffled) for run in found.runs] == list(RUNS)
    plain = random.Random("3 docstrings").sample(sentences()[1], 8)
    learnt, held_out = split(misspelt(plain, seed=3), 3 / 8, seed=3)
    assert not {pair.prompt for pair in learnt} & {pair.prompt for pair in held_out}
    assert found.example == held_out[0]
    options = TrainingOptions(2, "apo_down", batch_size=2, pairs_at_once=2, lr=3e-4, max_length=512, seed=3)
    with jobs.one_thread():
        trained = train(lm, learnt, options)
        before, after = (np.array(precompute(each, held_out)) for each in (lm, trained.lm))
        other = [document.text for document in texts.own(2).sources[0].documents]
        drift = bits_per_byte(trained.lm, other) - bits_per_byte(lm, other)
    run = found.runs[1]
    assert run.held_out.pairs == 3
    assert run.held_out.chosen.value == pytest.approx((after - before)[0].mean(), abs=1e-4)
    assert run.held_out.rejected.value == pytest.approx((after - before)[1].mean(), abs=1e-4)
    assert run.drift == pytest.approx(drift, abs=1e-6)
    assert found.runs[0].held_out != found.runs[-1].held_out  # half of what the control learnt was exchanged


def test_the_same_seed_gives_the_same(lm: LM, found: Preferences) -> None:
    with jobs.one_thread():
        again = preference.prefer(lm, size=SMALL, seed=3)
    assert again.model == found.model
    assert again.runs == found.runs


# What is shown


def revised(found: Preferences, *outcomes: Outcome) -> Preferences:
    """The same with other sentences and what became of them."""
    ruled = Outcome(PreferencePair(FLAWED.prompt, mend(FLAWED.text), FLAWED.text))
    return dataclasses.replace(
        found,
        asked=(FLAWED,) * len(outcomes),
        model=Built(outcomes),
        rule=Built((ruled,) * len(outcomes)),
    )


def pair_of(text: str) -> Outcome:
    return Outcome(PreferencePair(FLAWED.prompt, text, FLAWED.text))


def test_what_is_mended_and_what_else_is_changed(found: Preferences) -> None:
    shown = revised(
        found,
        pair_of(mend(FLAWED.text)),
        pair_of(mend(FLAWED.text).replace("Return", "Give")),
        pair_of(FLAWED.text.replace("more", "less")),
        Outcome(None, Reason.CUT_OFF, "after 9 characters"),
    )
    assert (shown.mended, shown.exact) == (2, 1)
    assert "Of 4 sentences with a real error the model made 3 pairs" in shown.verdict
    assert "gone in 2 of them, and 1 changed nothing else" in shown.verdict


def test_the_page_has_differences_reasons_and_rows(found: Preferences) -> None:
    shown = revised(found, pair_of(mend(FLAWED.text)), Outcome(None, Reason.CUT_OFF))
    html = preference_html.sections(shown)
    Balanced(html)
    difference = "Return <del>a</del> <ins>an</ins> area of <del>the</del> the circle &amp; more of the same"
    assert html.count(difference) == 3  # model, and the rule twice
    assert f'{FLAWED.text.replace("&", "&amp;")} <span class="missing">cut off</span>' in html
    for row in preference_tables.held_out(shown).rows:
        assert f'<th class="left">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) in html
    assert html.count("<circle") == 2 * len(RUNS) + 2
    assert "<script" not in html
    assert "<b>" not in html


def test_no_pair_is_shown_as_such(found: Preferences, capsys: pytest.CaptureFixture[str]) -> None:
    shown = revised(found, Outcome(None, Reason.UNCHANGED))
    shown = dataclasses.replace(shown, contrasts={"rule": found.contrasts["rule"]})
    assert "the model made 0 pairs" in preference_html.sections(shown)
    preferences_table(shown)
    out = capsys.readouterr().out
    assert re.search(r"pairs +. +0 . 0\.000", out)
    assert "equal to the original" in out


def test_the_numbers_for_machines_and_people(found: Preferences, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(json.dumps(preferences_json(found), allow_nan=False))
    assert [run["objective"] for run in data["runs"]] == [objective for objective, _ in RUNS]
    assert data["runs"][2]["held_out"]["margin"] == list(found.runs[2].held_out.margin)
    assert data["yield"]["pairs"] == len(found.model.pairs)
    assert data["sentences"][0]["rule"]["revision"] == mend(found.asked[0].text)
    assert math.isfinite(data["bits_per_byte"])
    preferences_table(found)
    out = " ".join(capsys.readouterr().out.split())
    assert found.verdict in out
    for run in found.runs:
        assert f"{run.held_out.margin.value:+.2f}" in out
