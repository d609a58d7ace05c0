"""The demo's section on spelling: what is held out, what correctors do, a name that is added, the page."""

import math
import random
from collections.abc import Iterator
from html import escape
from pathlib import Path

import jobs
import pytest
from markup import Balanced

from pyfastlm.cli.demo_json import correctors_json
from pyfastlm.cli.demo_tables import correctors_table
from pyfastlm.demo import debian, spelling, spelling_html, symspell
from pyfastlm.demo.spelling import ENGLISH, FITTED, NAMES, NOTHING, OURS, Correctors, Size
from pyfastlm.demo.symspell import SymSpellPeer
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.spelling import Speller

THINGS = ("lamp", "kettle", "drill", "chair", "table", "<b>&", "mirror")
ENGLISH_WORDS = [(word, 1000.0 / place) for place, word in enumerate((*THINGS, "red", "garden"), 1)]
SMALL = Size(2_000, 50, 60, 400)


def invented(count: int, seed: int) -> list[str]:
    """Names of invented brands with things, and brands alone."""
    rng = random.Random(seed)
    brands = ["".join(rng.choice(part) for part in ("bcdfglmnprstvz", "aeiou") * 3) + rng.choice("nrsx")
              for _ in range(count)]  # fmt: skip
    return sorted({*brands, *(f"{brand} {rng.choice(THINGS)}" for brand in brands)})


@pytest.fixture(scope="module")
def found() -> Iterator[Correctors]:
    pytest.importorskip("symspellpy")
    pytest.importorskip("sklearn")
    with jobs.one_thread():
        yield spelling.correct(invented(1_500, 1), ENGLISH_WORDS, size=SMALL, seed=1)


def test_all_correctors_are_asked_the_same(found: Correctors) -> None:
    assert [*found.reports] == [NOTHING, ENGLISH, NAMES, OURS, FITTED]
    assert {report.outcomes.digest for report in found.reports.values()} == {
        found.reports[NOTHING].outcomes.digest
    }
    nothing = found.reports[NOTHING]
    assert (nothing.recall, nothing.false_correction_rate, nothing.novel_false_correction_rate) == (0, 0, 0)
    assert math.isnan(nothing.precision)
    for name in (OURS, FITTED):  # by construction: the catalogue and the dictionary know them
        assert found.reports[name].false_correction_rate == 0
    assert found.missing == ""


def test_new_names_are_in_no_list() -> None:
    names = invented(500, 2)
    catalogue, tuning, part = spelling._parts(names, THINGS, 40, seed=3)
    listed = {word for name in catalogue for word in name.split()}
    for one in (tuning, part):
        assert len(one.pairs) == 40
        assert {pair.gold for pair in one.pairs} <= set(catalogue)
        assert not {pair.noisy for pair in one.pairs} & {*names, *THINGS}
        assert not set(one.novel) & {*catalogue, *listed, *THINGS}
        assert set(one.novel) <= set(names)
        assert len({pair.kind for pair in one.pairs}) > 4
    for here, there in ((tuning.pairs, part.pairs), (tuning.novel, part.novel)):
        assert not set(here) & set(there)


def test_a_name_that_was_changed_is_added(found: Correctors) -> None:
    changed = int(found.reports[FITTED].outcomes.novel.changed.sum())
    if found.added is None:
        assert changed == 0
        return
    assert found.added.changed == changed
    assert found.added.before != found.added.name
    assert found.added.still == 0
    assert found.added.after == found.added.name
    assert found.added.microseconds > 0


def test_examples_are_what_the_correctors_say(found: Correctors) -> None:
    assert [one.sort for one in found.examples] == [sort for sort in spelling.SORTS for _ in range(3)]
    for one in found.examples:
        assert len(one.texts) == len(found.reports)
        assert one.texts[0] == one.query  # nothing is done
        assert (one.query == one.meant) == (one.sort != "misspelt")


def test_seeds(found: Correctors) -> None:
    assert found.thresholds.keys() == {OURS, FITTED}
    small = Size(600, 50, 30, 0)
    first, again, other = (
        spelling.correct(invented(500, 1), ENGLISH_WORDS, size=small, seed=seed) for seed in (0, 0, 5)
    )
    assert [*first.reports] == [NOTHING, ENGLISH, NAMES, OURS]
    assert first.examples == again.examples != other.examples
    assert first.reports[OURS].outcomes.digest == again.reports[OURS].outcomes.digest
    assert first.reports[OURS].recall == again.reports[OURS].recall


def test_without_scikit_learn_a_row_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyfastlm.errors import MissingExtra

    def refused(*_: object, **__: object) -> None:
        raise MissingExtra("sklearn is not installed")

    monkeypatch.setattr(spelling, "train", refused)
    made = spelling.correct(invented(300, 1), ENGLISH_WORDS, size=Size(300, 50, 20, 100), seed=0)
    assert FITTED not in made.reports
    assert made.missing == "sklearn is not installed"


def test_the_page_shows_names_as_text(found: Correctors) -> None:
    html = spelling_html.sections(found)
    Balanced(html)
    for name, report in found.reports.items():
        assert f">{name}<" in html
        assert f"<td>{report.novel_false_correction_rate:.3f}<br>" in html
    for example in found.examples:
        assert escape(example.query) in html


def test_the_numbers_for_machines_and_people(found: Correctors, capsys: pytest.CaptureFixture[str]) -> None:
    data = correctors_json(found)
    assert data["reports"][OURS]["recall"] == found.reports[OURS].recall
    assert len(data["examples"]) == 9
    correctors_table(found)
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "60 misspelt" in out
    assert f"{found.reports[FITTED].recall:.1%}" in out


def test_peers_by_hand() -> None:
    pytest.importorskip("symspellpy")
    words = SymSpellPeer([("garden", 5.0), ("lamp", 9.0), ("red", 3.0)], how="words")
    assert words.correct("gardn lamq").text == "garden lamp"
    assert words.correct("gardn 4k lam3").text == "garden 4k lam3"
    assert words.correct("xqzvw").changed is False
    assert words.correct("red lamp").changed is False
    names = SymSpellPeer([("red lamp", 1.0)])
    assert names.correct("red lmp").text == "red lamp"
    assert names.correct("lmp").text == "lmp"


def test_why_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symspell, "MODULE", "no_such_module")
    with pytest.raises(TextsMissing, match="it is not installed"):
        symspell.english()
    monkeypatch.setattr(symspell, "MODULE", "pyfastlm")
    with pytest.raises(TextsMissing, match="its words cannot be read"):
        symspell.english()
    monkeypatch.setattr(debian, "run", lambda *_: b"a\nb\n")
    with pytest.raises(TextsMissing, match="it lists 2 packages; run apt-get update"):
        debian.package_names()
    monkeypatch.setattr(debian, "FEWEST_NAMES", 1)
    monkeypatch.setattr(debian, "run", lambda *_: b"libfoo-dev\nbar2.0\nlibfoo.dev\n")
    assert debian.package_names() == ["bar2 0", "libfoo dev"]


def test_a_speller_is_tuned_to_the_rate(tmp_path: Path) -> None:
    catalogue, tuning, _ = spelling._parts(invented(800, 4), THINGS, 100, seed=0)
    index = spelling._index(((name, 1.0) for name in catalogue), tmp_path / "i")
    english = spelling._index(ENGLISH_WORDS, tmp_path / "e")
    speller = spelling._tuned(index, english, None, tuning)
    changed = sum(one.changed for one in speller.correct_all(tuning.novel))
    assert changed <= math.ceil(spelling.RATE * len(tuning.novel)) + 1
    eager = Speller(index, english=english, threshold=-100)
    assert sum(one.changed for one in eager.correct_all(tuning.novel)) > changed
