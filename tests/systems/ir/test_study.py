"""Studies: every prompt and control on gold and on test, the search beside them, reports, the command."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preferences import small_lm
from scripted_queries import BAD, CORPUS, GOLD, GOOD, scripted

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.ir import (
    Collection,
    HeldOut,
    Leak,
    Prompt,
    QueryGenerator,
    RerankerOptions,
    SearchOptions,
    evaluate,
    mine_negatives,
    optimize_prompt,
    train_reranker,
)
from pyfastlm.ir.bm25 import bm25_run
from pyfastlm.ir.generation.controls import first_sentences
from pyfastlm.ir.path import Objective
from pyfastlm.ir.report import tables, write_report
from pyfastlm.ir.study import Budget, Study, read_study, run_study, spearman
from pyfastlm.ir.study.records import BM25_LINE, COSINES_LINE, FIRST_SENTENCE, RANDOM_START

Output = pytest.CaptureFixture[str]
TEST = Collection(
    "test",
    {"t": "a hard violin if there is one", "u": "the outer cloth of it"},
    CORPUS,
    {"t": {"violin hard": 1, "snail hard": 0, "shell large": 0}, "u": {"cloth outer": 1, "blade outer": 0}},
    pooled=True,
)
FAIR = Prompt("Be good, but fair.")
OPTIONS = SearchOptions(documents=4, rungs=2, seeds=(0, 1), negatives=3)
TRAINING = RerankerOptions(epochs=2, learning_rate=3e-3, max_length=24)


def studied(encoder: Path, home: Path, **changes: Any) -> Study:
    settings: dict[str, Any] = {"prompts": [GOOD, FAIR], "options": OPTIONS, "training": TRAINING} | changes
    writer = QueryGenerator(small_lm(max_position_embeddings=256), settings.pop("manual", BAD))
    return run_study(writer, GOLD, settings.pop("test", TEST), directory=home, base=encoder, **settings)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "study"


@pytest.fixture(scope="module")
def study(tiny_encoder: Path, place: Path) -> Study:
    with pytest.MonkeyPatch.context() as patch:
        scripted(patch)
        return studied(tiny_encoder, place)


def test_every_row_is_there(study: Study) -> None:
    assert study.prompts == ("Be bad. Query:", "Be good. Query:", "Be good, but fair. Query:")
    assert study.manual == study.worst == "Be bad. Query:"
    assert {*study.measured} == {*study.prompts, BM25_LINE, COSINES_LINE, FIRST_SENTENCE, RANDOM_START}
    alone = {BM25_LINE, COSINES_LINE}
    assert all(len(rows) == (1 if name in alone else 2) for name, rows in study.measured.items())
    assert study.test("Be bad. Query:").tolist() == [0.0, 0.0]  # it wrote nothing
    own = evaluate(TEST.qrel, bm25_run(TEST)).of("ndcg_at_10")
    assert study.test(BM25_LINE).tolist() == own.tolist()
    assert study.interval(BM25_LINE).mean == pytest.approx(own.mean())
    good = study.measured["Be good. Query:"]
    assert [row.examples for row in good] == [8, 8]
    assert study.gold("Be good. Query:").tolist() == np.mean([row.gold for row in good], axis=0).tolist()
    assert study.by_seed("Be good. Query:")[1].tolist() == [np.mean(good[1].gold), np.mean(good[1].test)]
    assert -1 <= study.correlation.rho <= 1


def test_rows_are_those_of_trainings_by_hand(study: Study, tiny_encoder: Path) -> None:
    held = HeldOut.of(GOLD, TEST)
    objective = Objective(
        QueryGenerator(small_lm(), BAD), GOLD, CORPUS, held_out=held, training=TRAINING, base=tiny_encoder,
        negatives=3, depth=None, seed=0,
    )  # fmt: skip
    written = first_sentences(objective.documents(8))
    mined = mine_negatives(written.queries, CORPUS, k=3, held_out=held)
    trained = train_reranker(mined.examples, base=tiny_encoder, options=TRAINING, seed=1)
    run_by_hand = evaluate(TEST.qrel, trained.reranker.run(TEST)).of("ndcg_at_10")
    assert study.measured[FIRST_SENTENCE][1].test == tuple(run_by_hand.tolist())


def test_the_control_begins_at_random(study: Study, tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        scripted(patch)
        again = studied(tiny_encoder, tmp_path, training=replace(TRAINING, reset="all"))
    assert again.best == study.best
    assert again.test(again.best).tolist() == study.test(RANDOM_START).tolist()
    assert study.measured[RANDOM_START][0].examples == study.measured[study.best][0].examples


def test_the_search_is_that_without_a_study(
    study: Study, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    alone = optimize_prompt(
        QueryGenerator(small_lm(max_position_embeddings=256), BAD), GOLD, CORPUS, prompts=[GOOD, FAIR],
        options=OPTIONS, training=TRAINING, base=tiny_encoder, held_out=HeldOut.of(GOLD, TEST),
    )  # fmt: skip
    assert study.best == f"{alone.best.instruction} {alone.best.cue}"
    assert [rung.scores for rung in study.rungs] == [rung.scores for rung in alone.rungs]
    assert study.rungs[-1].scores[0] == pytest.approx(study.gold(study.best).mean())


def test_the_search_never_sees_test(study: Study, place: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    other = replace(
        TEST, qrel={"t": {"violin hard": 0, "snail hard": 1, "shell large": 2}, "u": {"cloth outer": 1}}
    )
    with pytest.MonkeyPatch.context() as patch:
        scripted(patch)
        again = studied(tiny_encoder, tmp_path, test=other)
    assert again.test("Be good. Query:").tolist() != study.test("Be good. Query:").tolist()
    assert (again.best, again.rungs) == (study.best, study.rungs)
    for line in (place / "trials.jsonl").read_text().splitlines():
        assert len(json.loads(line)["per_query"]) == len(GOLD.query)
        assert "test" not in json.loads(line)


def test_it_goes_on_where_it_was(
    study: Study, place: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    for name in ("measured.jsonl", "trials.jsonl", "written.jsonl"):
        lines = (place / name).read_bytes().splitlines(keepends=True)
        (tmp_path / name).write_bytes(b"".join(lines[:3]) + lines[3][:9] if lines[3:] else b"".join(lines))
    fitted: list[int] = []
    plain = Objective.fit

    def fit(self: Objective, *args: Any, **options: Any) -> Any:
        fitted.append(1)
        return plain(self, *args, **options)

    monkeypatch.setattr(Objective, "fit", fit)
    again = studied(tiny_encoder, tmp_path)
    for name in study.measured:
        assert again.test(name).tolist() == study.test(name).tolist()
    assert again.rungs == study.rungs
    rows = 2 * (2 + len(study.prompts))
    count = len(fitted)
    assert rows - 3 <= count < rows + 2 * 3
    studied(tiny_encoder, tmp_path)
    assert len(fitted) == count


def test_it_comes_back_from_its_file(study: Study, place: Path, tmp_path: Path) -> None:
    found = read_study(place)
    assert found.measured == study.measured
    assert (found.rungs, found.search, found.training) == (study.rungs, study.search, study.training)
    assert (found.writing, found.searching, found.order) == (study.writing, study.searching, study.order)
    told = json.loads((place / "study.json").read_text())
    for bad in ([], {}, told | {"best": "?"}, told | {"training": {"loss": "x"}}, told | {"rungs": [1]}):
        (tmp_path / "study.json").write_text(json.dumps(bad))
        with pytest.raises(InputError, match=r"study: .* is no study of this version"):
            read_study(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_study(tmp_path / "none")


def test_what_is_to_do_is_told_before(tiny_encoder: Path, tmp_path: Path) -> None:
    told: list[Budget] = []
    with pytest.MonkeyPatch.context() as patch:
        scripted(patch)
        studied(tiny_encoder, tmp_path, announce=told.append)
    trials = len((tmp_path / "trials.jsonl").read_text().splitlines())
    measured = [json.loads(line) for line in (tmp_path / "measured.jsonl").read_text().splitlines()]
    (budget,) = told
    assert budget.queries == 3 * 8
    assert budget.trainings == 2 * 3 + 2 * (3 + 2)  # the lower rung, then prompts and controls
    assert trials == 2 * 3 + 2 * (3 + 1)  # first sentences are no trial
    assert len(measured) == 2 * (3 + 2)
    assert budget.examples == 2 * (6 * 4 + 10 * 8)
    assert budget.pairs == 16 * 6 + 10 * 5
    assert budget.minutes > 0
    assert min(budget.pace[1:]) > 0


def test_bad_studies(tiny_encoder: Path, tmp_path: Path) -> None:
    for prompts in ([GOOD], [GOOD, GOOD], [BAD, GOOD]):
        with pytest.raises(InputError, match="prompts: expected two at least, each once"):
            studied(tiny_encoder, tmp_path, prompts=prompts)
    bad = Prompt("Write a query such as: find the SMALL crab, please!")
    with pytest.raises(Leak, match="prompt: it quotes"):
        studied(tiny_encoder, tmp_path, prompts=[GOOD, bad])
    with pytest.raises(InputError, match="documents: expected at most the 26"):
        studied(tiny_encoder, tmp_path, options=replace(OPTIONS, documents=14))


def test_tables(study: Study) -> None:
    table = {row[0]: row[1:] for row in tables.rows(study).rows}
    assert float(table["BM25"][1].split()[0]) == pytest.approx(100 * study.test(BM25_LINE).mean(), abs=0.051)
    over = study.difference(study.best, study.manual)
    assert float(table["best prompt by gold"][2].split()[0]) == pytest.approx(100 * over.mean, abs=0.051)
    assert table["manual prompt"][2] == "-"
    assert table["manual prompt"][1:2] == table["worst prompt by gold"][1:2]
    assert [row[0].split(".")[0] for row in tables.prompts(study).rows] == ["1", "2", "3"]
    assert [len(row) for row in tables.rungs(study).rows] == [3, 3, 3]
    assert tables.rungs(study).rows[-1][-1] == "-"  # it was dropped
    assert len(tables.costs(study).rows) == 4
    said = " ".join(tables.verdicts(study))
    assert f"{study.correlation.rho:.2f}" in said
    assert "Over 3 prompts" in said


def test_verdicts_say_what_is(study: Study) -> None:
    same = replace(study, best=study.manual)
    assert tables.verdicts(same)[0] == "The search chose the manual prompt."
    clear = replace(study, measured={**study.measured, study.manual: study.measured[study.best]})
    assert "does not tell from 0" in tables.verdicts(clear)[0]


def test_equal_scores_have_no_correlation(study: Study, tmp_path: Path) -> None:
    bad = study.measured[study.manual]
    equal = replace(study, measured={**study.measured, **dict.fromkeys(study.prompts, bad)})
    said = " ".join(tables.verdicts(equal))
    assert "no rank correlation, because the scores of one kind are all equal" in said
    assert "nan" not in said
    assert "no rank" not in " ".join(tables.verdicts(study))
    text = write_report(equal, tmp_path / "report").read_text()
    assert "nan" not in text.partition("### Time")[0]


def test_one_seed_is_said(study: Study) -> None:
    one = replace(
        study,
        search=replace(OPTIONS, seeds=(0,)),
        measured={name: rows[:1] for name, rows in study.measured.items()},
    )
    assert "One seed: with another, another prompt may be chosen." in tables.verdicts(one)
    assert "test by seed" not in tables.rows(one).columns
    assert {len(row) for row in tables.rows(one).rows} == {len(tables.rows(one).columns)}
    assert "One seed" not in " ".join(tables.verdicts(study))


def test_everything_in_one_table(study: Study) -> None:
    overview, rows = tables.overview(study), tables.rows(study)
    labels = [row[0] for row in overview.rows]
    numbers = [row[0].split(".")[0] for row in tables.prompts(study).rows]
    assert [label.split(" (")[0] for label in labels[3:-1]] == [f"prompt {number}" for number in numbers]
    assert sum("(manual)" in label for label in labels) == 1
    assert sum("(chosen)" in label for label in labels) == 1
    named = {row[0]: row[1:] for row in rows.rows}
    chosen = next(row for row in overview.rows if "(chosen)" in row[0])
    assert chosen[1:] == named["best prompt by gold"]
    assert overview.rows[-1][1:] == named["random weights, best prompt"]
    assert overview.columns == rows.columns


def test_what_prompts_wrote_is_kept(study: Study, place: Path) -> None:
    assert {*study.written} == {*study.prompts}
    documents = [[each.document for each in of] for of in study.written.values()]
    assert documents[0] == documents[1] == documents[2]
    assert len(documents[0]) == 4
    assert [each.reason for each in study.written[study.manual]] == ["empty"] * 4
    for each in study.written["Be good. Query:"]:
        words = each.document.split()
        assert each.query.split()[:2] == [words[2], words[1]]
        assert each.reason == ""
    assert read_study(place).written == study.written
    rows = tables.queries(study).rows
    assert len(rows) == 12
    assert [row[3] for row in rows] == ["-"] * 8 + ["empty"] * 4


def test_studies_of_before_lack_what_was_written(place: Path, tmp_path: Path) -> None:
    told = json.loads((place / "study.json").read_text())
    del told["written"]
    (tmp_path / "study.json").write_text(json.dumps(told))
    old = read_study(tmp_path)
    assert old.written == {}
    assert tables.queries(old).rows == []


def test_the_page(study: Study, tmp_path: Path) -> None:
    text = write_report(study, tmp_path / "report").read_text()
    assert "![Gold score of every prompt against its test score](prompts.png)" in text
    assert "wrote for the same 8 documents" in text
    picture = (tmp_path / "report" / "prompts.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    write_report(study, tmp_path / "report")
    assert (tmp_path / "report" / "prompts.png").read_bytes() == picture
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder: cannot make"):
        write_report(study, tmp_path / "file")


def test_the_report_command(study: Study, place: Path, tmp_path: Path, capsys: Output) -> None:
    assert run(["ir", "report", str(place), "-o", str(tmp_path / "report"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["best"] == study.best
    assert told["spearman"]["rho"] == study.correlation.rho
    assert told["rows"][RANDOM_START]["by_seed"] == study.by_seed(RANDOM_START).tolist()
    assert (tmp_path / "report" / "report.md").exists()
    assert run(["ir", "report", str(place)]) == 0
    shown = capsys.readouterr().out
    assert "Rungs of the search" in shown
    assert run(["ir", "report", str(tmp_path)]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_spearman_is_that_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 6, 12).astype(float), rng.integers(0, 6, 12).astype(float)
        ours, theirs = spearman(a.tolist(), b.tolist()), scipy.spearmanr(a, b)
        assert ours.rho == pytest.approx(theirs.statistic)
        assert ours.p == pytest.approx(theirs.pvalue, abs=0.05)
    assert np.isnan(spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).rho)
    with pytest.raises(InputError, match="three at least, got 2 and 2"):
        spearman([1.0, 2.0], [1.0, 2.0])


def test_the_study_command(tmp_path: Path, tiny_encoder: Path, capsys: Output) -> None:
    corpus = {name: f"{text} {name}" for name, text in CORPUS.items()}
    task = {
        "query": {f"q{n}": f"find the {name} please" for n, name in enumerate([*corpus][:4])},
        "corpus": corpus,
        "qrel": {
            f"q{n}": {name: 1, other: 0}
            for n, (name, other) in enumerate(zip([*corpus][:4], [*corpus][4:8], strict=True))
        },
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    lm = small_lm(max_position_embeddings=512)
    lm.model.save_pretrained(tmp_path / "lm")
    lm.tokenizer.save_pretrained(tmp_path / "lm")
    command = [
        "ir", "study", tmp_path / "task.json", "-o", tmp_path / "out", "--preset", "short", "--lm",
        tmp_path / "lm", "--base", tiny_encoder, "--gold-queries", 1, "--test-queries", 2, "--prompts", 2,
        "--documents", 2, "--seeds", 1, "--max-tokens", 4, "--max-length", 24, "--negatives", 2,
    ]  # fmt: skip
    assert run([*map(str, command), "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert "At most 12 queries are written, 8 rerankers trained on" in err
    assert told["task"] == "task test"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "measured.jsonl", "prompts.png", "report.md", "study.json", "trials.jsonl", "written.jsonl",
        "written.sqlite",
    }  # fmt: skip
    assert len(read_study(tmp_path / "out").test(told["manual"])) == 2
    assert run(list(map(str, command))) == 0
    assert "Rungs of the search" in capsys.readouterr().out
    assert run([*map(str, command), "--preset", "long"]) == 2
    assert "preset: expected short or full, got 'long'" in capsys.readouterr().err
