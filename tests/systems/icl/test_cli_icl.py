"""``pyfastlm icl`` from the command line, and the files between its commands."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.icl import GINC, fit, ginc_curves
from pyfastlm.icl.files.curve_tables import read_curves, write_curves


def test_ginc_is_written_and_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curves, picture = str(tmp_path / "ginc.csv"), tmp_path / "ginc.svg"
    assert (
        run(["icl", "ginc", "--shots", "12", "--prompts", "20", "--hmms", "2", "-o", curves, "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    (read,) = read_curves(curves)
    assert read.shots.tolist() == list(range(1, 13))
    np.testing.assert_allclose(np.exp(-read.nll), [each["prob"] for each in told["curves"]])
    command = ["icl", "fit", curves, "--law", "power", "--law", "bayesian_scoring", "--fraction", "0.5"]
    assert run([*command, "--json", "--picture", str(picture)]) == 0
    rows = {row["law"]: row for row in json.loads(capsys.readouterr().out)["scores"]}
    assert [*rows] == ["power", "bayesian_scoring", "last value", "mean"]
    direct = fit("power", read.shots[:6], read.nll[:, :6])
    assert rows["power"]["params"]["alpha"] == direct.params.alpha.tolist()
    rest = np.exp(-read.nll[:, 6:])
    off = rest - np.exp(-direct.predict(read.shots[6:]))
    assert math.isclose(rows["power"]["nrmse"], np.sqrt((off**2).mean()) / rest.mean())
    assert picture.read_bytes().startswith(b"<?xml")
    first = picture.read_bytes()
    assert run([*command, "--picture", str(picture)]) == 0
    assert picture.read_bytes() == first
    out = capsys.readouterr().out
    assert "fitted up to 6 of 12 shots" in out
    assert "bayesian_scoring" in out


def test_curves_of_a_model(tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, curves = tmp_path / "parity.jsonl", tmp_path / "curves.csv"
    task.write_text("".join(f'{{"input": "{n}", "output": {n % 2}}}\n' for n in range(9)))
    command = ["icl", "curve", str(task), "--model", str(tiny_lm_dir), "--shots", "4", "-o", str(curves)]
    assert run([*command, "--permutations", "3", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["curves"]
    (read,) = read_curves(curves)
    assert read.tasks == ("parity",)
    np.testing.assert_allclose(read.nll[0], told["nll"])
    assert run([*command, "--permutations", "2", "--shuffled-labels"]) == 0
    assert "example 3" in capsys.readouterr().out


def test_a_small_model_is_trained_and_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, curves = tmp_path / "run", tmp_path / "small.csv"
    train = ["icl", "train", "-o", str(out), "--hmms", "2", "--layers", "1", "--width", "16", "--heads", "2"]
    train += ["--batch-size", "2", "--length", "12", "--steps", "4", "--keep", "2"]
    assert run([*train, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = ["checkpoint-000000002", "checkpoint-000000004"]
    assert [Path(path).name for path in told["checkpoints"]] == names
    assert told["log"][-1]["step"] == 4
    assert run(train) == 0
    assert "4 of them before" in capsys.readouterr().out
    measure = ["icl", "ginc", "--model", told["checkpoints"][-1], "--shots", "3", "--prompts", "4"]
    assert run([*measure, "--hmms", "2", "-o", str(curves), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = ginc_curves(out / names[-1], GINC.make(2), shots=3, count=4)
    np.testing.assert_allclose([each["prob"] for each in told["curves"]], found.p)
    np.testing.assert_allclose([each["acc"] for each in told["curves"]], found.accuracy)
    np.testing.assert_allclose(read_curves(curves)[0].nll, found.nll)
    assert run([*measure, "--hmms", "2", "-o", str(curves)]) == 0
    assert "It is the likeliest" in capsys.readouterr().out
    assert run([*train, "--seed", "1"]) == 2
    assert "seed" in capsys.readouterr().err


def test_columns_of_the_publication_are_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    rows = ["shots,k,hmm,prob,nll,acc,sft_amount,layers"]
    for k in (3, 5):
        for amount in (0, 50, 1000):
            for hmm in range(2):
                for shots in (0, 1, 10, 2):
                    rows += [f"{shots},{k},{hmm},{p},9,1,{amount},8" for p in (0.1, 0.3 + amount / 10_000)]
    path.write_text("\n".join(rows) + "\n")
    first, second = read_curves(path)
    assert (first.name, second.name) == ("k=3, layers=8", "k=5, layers=8")
    assert first.shots.tolist() == [1, 2, 3, 11]
    assert (first.groups, first.tasks) == (("0", "50", "1000"), ("0", "1"))
    assert first.nll.shape == (3, 2, 4)
    np.testing.assert_allclose(first.nll[2], -np.log(0.25))  # the mean probability of prompts, not of losses
    path.write_text("shots,nll\n0,0.5\n1,inf\n")
    (bare,) = read_curves(path)
    assert bare.nll.tolist() == [[0.5, math.inf]]
    assert bare.name == "in"
    write_curves([("a", 1, 0.5), ("a", 2, 0.0)], path)
    assert read_curves(path)[0].nll.tolist() == [[-math.log(0.5), math.inf]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs the columns 'shots' and 'prob' or 'nll'"),
        (b"shots,prob\n", "path: expected rows in"),
        (b"shots,p\n1,2\n", "needs the columns 'shots' and 'prob' or 'nll', has shots, p"),
        (b"shots,prob\n1,x\n", r"in\.csv:2: prob: expected a number, got 'x'"),
        (b"shots,prob\n1\n", r"in\.csv:2: prob: expected a number, got None"),
        (b"shots,prob\n1,nan\n", r"in\.csv:2: prob: expected a number, got 'nan'"),
        (b"shots,prob\n-1,0.5\n", r"in\.csv:2: shots: expected a whole number from 0, got -1"),
        (b"shots,prob\n0.5,0.5\n", r"shots: expected a whole number from 0, got 0\.5"),
        (b"shots,prob\n1,1.5\n", r"in\.csv:2: prob: expected a probability, got '1\.5'"),
        (b"shots,nll\n1,-1\n", r"in\.csv:2: nll: expected a probability, got '-1'"),
        (b"shots,prob\n1,0.5\n\xff\n", r"is no CSV file"),
        (b'shots,prob\n1,"0.5\n', r"is no CSV file"),
        (b"shots,prob\ninf,0.5\n", r"shots: expected a whole number from 0, got inf"),
    ],
)
def test_hostile_files_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_curves(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "no.csv"], "No such file or directory: no.csv"),
        (["fit", "in.csv", "--picture", "p.bmp"], "picture: expected a name ending in .png, .svg, .pdf"),
        (["fit", "in.csv", "--law", "cubic"], "law: expected one of bayesian,"),
        (["fit", "in.csv", "--loss", "mae"], "loss: expected one of mse_prob,"),
        (["fit", "in.csv", "--fraction", "2"], "fractions: expected numbers above 0, up to 1, got 2"),
        (["curve", "no.jsonl", "-o", "out.csv"], "No such file or directory: no.jsonl"),
        (["curve", "in.csv", "-o", "no/out.csv"], "no such directory: 'no'"),
        (["ginc", "-o", "no/out.csv"], "no such directory: 'no'"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("shots,prob\n0,0.5\n1,0.6\n")
    assert run(["icl", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert said in error[0]
