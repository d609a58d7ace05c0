"""``pyfastlm together run`` with a model in this process, and with one behind an endpoint."""

import json
from pathlib import Path

import pytest
from endpoints import endpoint, said
from preferences import small_lm

from pyfastlm.cli.app import run
from pyfastlm.together.strategies import read_grid

Output = pytest.CaptureFixture[str]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Closed-book questions enough for the splits."""
    rows = [{"question": f"What is {n}?", "answer": "yes" if n % 2 else "no"} for n in range(600)]
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(rows))
    return path


def test_behind_an_endpoint(
    tmp_path: Path, questions: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-SECRET")
    with endpoint(lambda prompt, _: said("[[ ## answer ## ]]\nYes.\n\n[[ ## completed ## ]]")) as server:
        command = [
            "together",
            "run",
            "-o",
            str(tmp_path / "grid"),
            "--task",
            "hotpot",
            "--data",
            str(questions),
        ]
        command += ["--endpoint", server.url, "--lm", "my-model", "--strategies", "none", "--seeds", "1"]
        assert run([*command, "--json"]) == 0
        told = capsys.readouterr()
        found = json.loads(told.out)["strategies"]["none"]
        assert 0.3 < found["test"][0] < 0.7
        assert found["cells"][0]["test"]["calls"] == 300
        assert told.err.splitlines() == [
            told.err.strip()
        ]  # a line for the test, and nothing of the libraries
        asked = [request for _, _, request in server.requests]
        assert {request["model"] for request in asked} == {"my-model"}
        assert {headers["authorization"] for _, headers, _ in server.requests} == {"Bearer sk-SECRET"}
        written = [path for path in (tmp_path / "grid").rglob("*") if path.is_file()]
        assert len(written) == 3
        assert not any("SECRET" in path.read_text() for path in written)
        assert "SECRET" not in told.out + told.err
        assert len(asked) == 300 + 100  # the validation rows, too
        count = len(server.requests)
        assert run(command) == 0  # done
        assert len(server.requests) == count
    grid = read_grid(tmp_path / "grid")
    assert grid.model == "openai/my-model"


@pytest.mark.slow
def test_an_endpoint_that_is_down(tmp_path: Path, questions: Path, capsys: Output) -> None:
    command = ["together", "run", "-o", str(tmp_path / "grid"), "--task", "hotpot", "--data", str(questions)]
    command += ["--endpoint", "http://127.0.0.1:9/v1", "--strategies", "none"]
    assert run(command) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_with_a_model(tmp_path: Path, capsys: Output) -> None:
    lm = small_lm(max_position_embeddings=4096)
    lm.model.save_pretrained(tmp_path / "lm")
    lm.tokenizer.save_pretrained(tmp_path / "lm")
    capsys.readouterr()  # transformers' bar
    command = ["together", "run", "-o", str(tmp_path / "grid"), "--lm", str(tmp_path / "lm"), "--seeds", "1"]
    command += ["--strategies", "none,W", "--epochs", "1", "--rank", "2"]
    assert run(command) == 0
    told = capsys.readouterr()
    assert "majority" in told.out
    assert [line.partition(":")[0] for line in told.err.splitlines()] == [
        "seed 0, none",
        "seed 0, W",
        "seed 0, W",
    ]
    assert run([*command, "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["strategies"]["W"]["cells"]
    assert cells[0]["steps"][0]["kind"] == "W"
