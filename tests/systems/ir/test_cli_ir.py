"""``pyfastlm ir``: queries, a reranker, its measures, and a search, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from preferences import small_lm
from retrieval import DOCUMENTS

from pyfastlm.cli import ir_options
from pyfastlm.cli.app import run
from pyfastlm.ir import Reranker, RerankerOptions, SearchOptions, evaluate
from pyfastlm.ir.data import open_task, read_run

Output = pytest.CaptureFixture[str]
COLOURS = ("red", "blue", "old")
TASK = {
    "query": {"q1": "something red", "q2": "wind and cloth", "q3": "what steers"},
    "corpus": {f"{name}-{c}": f"{text}, a {c} {name}" for name, text in DOCUMENTS.items() for c in COLOURS},
    "qrel": {
        "q1": {"sail-red": 1, "sail-blue": 0},
        "q2": {"sail-old": 2, "violin-old": 0},
        "q3": {"rudder-red": 1, "shell-red": 0},
    },
}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(TASK))
    return path


@pytest.fixture(scope="module")
def lm_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads 512 tokens, with a chat template."""
    directory = tmp_path_factory.mktemp("lm")
    lm = small_lm(max_position_embeddings=512)
    lm.model.save_pretrained(directory)
    lm.tokenizer.save_pretrained(directory)
    return directory


def told(capsys: Output, *command: object) -> Any:
    assert run([*map(str, command), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_defaults_are_those_of_the_library() -> None:
    options = RerankerOptions()
    assert (options.learning_rate, options.epochs) == (ir_options.RATE, ir_options.EPOCHS)
    assert SearchOptions().negatives == ir_options.NEGATIVES


def test_bm25_and_its_run_have_the_same_measures(task: Path, tmp_path: Path, capsys: Output) -> None:
    first = told(capsys, "ir", "eval", task, "-o", tmp_path / "run")
    again = told(capsys, "ir", "eval", task, "--run", tmp_path / "run")
    assert first == again
    assert first["queries"] == 3
    found = evaluate(open_task(task).qrel, read_run(tmp_path / "run"))
    assert first["ndcg_at_10"]["mean"] == found.ndcg_at_10
    assert run(["ir", "eval", str(task)]) == 0
    shown = capsys.readouterr().out
    assert "task: 3 queries" in shown
    assert f"{100 * found.ndcg_at_10:.1f}" in shown


def test_generate_train_and_eval(
    task: Path, tmp_path: Path, lm_dir: Path, tiny_encoder: Path, capsys: Output
) -> None:
    command = ["ir", "generate", task, "-o", tmp_path / "queries.jsonl", "--lm", lm_dir, "--documents", 6]
    command += ["--cache", tmp_path / "cache", "--max-tokens", 6, "--copy-limit", 1]
    written = told(capsys, *command)
    assert written["documents"] == written["asked"] == 6
    assert written["queries"] + sum(written["rejected"].values()) == 6
    assert told(capsys, *command)["asked"] == 0
    # What a random model writes has no word of its document.
    lines = [json.dumps({"document": name, "text": name.replace("-", " ")}) for name in TASK["corpus"]]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    command = ["ir", "train", task, tmp_path / "mine.jsonl", "-o", tmp_path / "out", "--base", tiny_encoder]
    trained = told(capsys, *command, "--negatives", 3, "--max-length", 32)
    assert trained["examples"] == 12
    assert len(trained["losses"]) == 9
    measured = told(capsys, "ir", "eval", task, "--reranker", tmp_path / "out")
    collection = open_task(task)
    run_by_hand = Reranker.load(tmp_path / "out").run(collection)
    assert measured["ndcg_at_10"]["mean"] == evaluate(collection.qrel, run_by_hand).ndcg_at_10
    assert run(list(map(str, command))) == 2
    assert "out: expected a new directory" in capsys.readouterr().err


def test_training_on_what_is_held_out_is_avoided(
    task: Path, tmp_path: Path, tiny_encoder: Path, capsys: Output
) -> None:
    lines = [json.dumps({"document": name, "text": name.replace("-", " ")}) for name in TASK["corpus"]]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    trained = told(
        capsys, "ir", "train", task, tmp_path / "mine.jsonl", "-o", tmp_path / "out", "--base", tiny_encoder,
        "--gold", task, "--negatives", 3,
    )  # fmt: skip
    assert trained["examples"] == 12 - 6  # six documents are in pools
    assert trained["dropped"]["held out"] == 6


def test_a_search(task: Path, tmp_path: Path, lm_dir: Path, tiny_encoder: Path, capsys: Output) -> None:
    command = [
        "ir", "optimize", task, "-o", tmp_path / "path", "--gold-queries", 1, "--lm", lm_dir,
        "--base", tiny_encoder, "--prompts", 2, "--documents", 2,
        "--rungs", 2, "--seeds", 1, "--negatives", 2, "--max-length", 32,
    ]  # fmt: skip
    found = told(capsys, *command)
    assert [rung["documents"] for rung in found["rungs"]] == [2, 4]
    assert [len(rung["scores"]) for rung in found["rungs"]] == [3, 2]
    assert 0 <= found["bm25"]["mean"] <= 1
    trials = (tmp_path / "path" / "trials.jsonl").read_text().splitlines()
    assert len(trials) == 5
    assert {"prompt", "seed", "documents", "gold_ndcg", "per_query", "kept", "seconds"} <= {
        *json.loads(trials[0])
    }


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["eval", "none"], "task: there is no 'none'"),
        (["eval", "."], "has neither cran.all.1400.xml"),
        (["eval", "TASK", "--run", "a", "--reranker", "b"], "run: expected either --run or --reranker"),
        (["eval", "TASK", "--reranker", "/no/such"], "base: cannot load an encoder from '/no/such'"),
        (["generate", "TASK", "-o", "q", "--documents", "99"], "documents: expected at most 12, got 99"),
        (["generate", "TASK", "-o", "q", "--prompt", " "], "instruction: expected a text"),
        (
            ["generate", "TASK", "-o", "q", "--gold", "TASK", "--prompt", "as wind and cloth"],
            "prompt: it quotes",
        ),
        (["train", "TASK", "none", "-o", "new"], "path: cannot read 'none'"),
        (["train", "TASK", "TASK", "-o", "new"], "expected an object with the texts 'document'"),
        (["train", "TASK", "TASK", "-o", "new", "--loss", "hinge"], "loss: expected one of infonce"),
        (["optimize", "TASK", "-o", "new"], "gold: expected 1 to 2 of the 3 queries"),
    ],
)
def test_mistakes_are_one_line(
    command: list[str],
    message: str,
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert run(["ir", *(str(task) if part == "TASK" else part for part in command)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not [*(tmp_path / "empty").iterdir()]
