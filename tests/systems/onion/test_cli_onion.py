"""``pyfastlm onion`` from the command line."""

import json
from pathlib import Path

import pytest

from pyfastlm.cli.app import run
from pyfastlm.onion import load_model

TASK = ["--symbols", "5", "--min-len", "1", "--max-len", "4", "--train", "400", "--valid", "60"]
TRAIN = ["--size", "8", "--steps", "60", "--seed", "3", *TASK]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("onion") / "model"
    assert (
        run(["onion", "train", "-o", str(place), "--size", "8", "--steps", "60", "--seed", "3", *TASK]) == 0
    )
    return place


def test_train(model: Path, capsys: Output) -> None:
    again = ["onion", "train", "-o", str(model), *TRAIN]
    assert run([*again, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["resumed_step"] == 60
    assert told["log"][-1]["step"] == 60
    assert run([*again, "--lr", "1e-3"]) == 2
    assert "another lr" in capsys.readouterr().err
    assert run(again) == 0
    assert "whole sequences right" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["onion", "linear unigram", "linear bigram"])
def test_intervene(model: Path, tmp_path: Path, capsys: Output, kind: str) -> None:
    out = tmp_path / "edit.pt"
    command = ["onion", "intervene", str(model), "--kind", kind, "--steps", "20", "--train", "400"]
    command += ["--valid", "60"]
    assert run([*command, "--json", "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(s["lengths"], s["edits"]) for s in told["scores"]] == [
        ("max", "one"), ("max", "half"), ("all", "one"), ("all", "half")
    ]  # fmt: skip
    assert out.exists()
    checkpoint = next(model.glob("checkpoint-*")) / "model.pt"
    assert load_model(checkpoint).config.seed == 3
    command[2] = str(checkpoint)
    assert run(command) == 0
    assert "unrepaired" in capsys.readouterr().out


def test_probe(model: Path, capsys: Output) -> None:
    command = ["onion", "probe", str(model), "--steps", "10", "--train", "400", "--valid", "60"]
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["linear", "mlp", "peeling", "decoder", "silent decoder"]
    assert len(told["linear"]["by_place"]) == 4
    assert run([*command, "--probe", "peeling"]) == 0
    assert "peeling" in capsys.readouterr().out


def test_grid_and_report(tmp_path: Path, capsys: Output) -> None:
    runs = str(tmp_path / "runs")
    command = ["onion", "grid", "-o", runs, "--size", "6", "--seed", "0", "--steps", "20", *TASK]
    command += ["--fit-steps", "10", "--workers", "1"]
    assert run([*command, "--dry-run"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "1 models, about" in told.err
    assert not Path(runs).exists()
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == ["N6-autoregressive-seed0"]
    assert run([*command, "--matched"]) == 0
    assert "repaired" in capsys.readouterr().out
    report = ["onion", "report", runs, "-o", str(tmp_path / "report")]
    assert run([*report, "--json"]) == 0
    told_report = json.loads(capsys.readouterr().out)
    assert len(told_report["cells"][0]["fits"]) == 16
    assert run(report) == 0
    assert (tmp_path / "report" / "report.md").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["intervene", "nowhere"], "path: cannot read 'nowhere'"),
        (["intervene", ".", "--kind", "union"], "kind: expected one of"),
        (["intervene", "."], "no checkpoint"),
        (["probe", ".", "--probe", "reader"], "probe: expected one of"),
        (["grid", "-o", "runs", "--variant", "loud"], "variant: expected"),
        (["report", "nowhere", "-o", "there"], "no trained model"),
        (["train", "-o", "run", "--schedule", "step"], "schedule: expected"),
        (["train", "-o", "run", "--symbols", "2", "--max-len", "3", "--min-len", "3"], "n_valid: expected"),
    ],
)
def test_mistakes_are_one_line(
    command: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["onion", *command]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())
