"""The report: what it says is what comparisons say, on curves of every kind."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pyfastlm.cli.app import run
from pyfastlm.icl import compare
from pyfastlm.icl.files.curve_tables import read_curves

LAWS = ["--law", "power", "--law", "bayesian_scoring", "--starts", "2"]


def written(path: Path, rows: list[str], head: str = "shots,prob") -> str:
    path.write_text("\n".join([head, *rows]) + "\n")
    return str(path)


def tuned(path: Path) -> str:
    rng = np.random.default_rng(0)
    rows = [
        f"{n},{0.8 - 0.4 * (n + 1) ** -0.5 - 0.1 * hmm + 0.01 * rng.normal()},{hmm},{amount},{k}"
        for k in (3, 5)
        for amount in (0, 50)
        for hmm in range(2)
        for n in range(20)
    ]
    return written(path, rows, "shots,prob,hmm,sft_amount,k")


def test_all_of_it_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curves, folder = tuned(tmp_path / "in.csv"), tmp_path / "new" / "report"
    assert run(["icl", "report", curves, "-o", str(folder), *LAWS, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fractions"] == [0.05, 0.1, 0.2, 0.5]
    direct = compare(
        [(each.shots, each.nll) for each in read_curves(curves)],
        laws=["power", "bayesian_scoring"], fractions=(1.0, 0.05, 0.1, 0.2, 0.5), starts=2,
    ).means()  # fmt: skip
    assert [(row["law"], row["nrmse"]) for row in told["means"]] == [
        (mean.law, mean.nrmse) for mean in direct
    ]
    text = (folder / "report.md").read_text()
    assert f"{direct[0].nrmse:.4f}" not in text  # a mean over sets; the table of a set has its own
    first, second = direct[0], compare([(e.shots, e.nll) for e in read_curves(curves)], laws=["power"],
                                       fractions=(1.0,), starts=2).scores[0]  # fmt: skip
    assert f"{second.nrmse:.4f}" in text
    assert first.law == "power"
    for heading in ("## Fits to all shots", "## Extrapolation", "## Differences"):
        assert heading in text
    pictures = re.findall(r"\]\((.+\.svg)\)", text)
    assert pictures == ["curves-1.svg", "amounts-1.svg", "curves-2.svg", "amounts-2.svg", "extrapolation.svg"]
    before = {name: (folder / name).read_bytes() for name in [*pictures, "report.md"]}
    assert run(["icl", "report", curves, "-o", str(folder), *LAWS]) == 0
    assert "bayesian_scoring" in capsys.readouterr().out
    assert before == {name: (folder / name).read_bytes() for name in [*pictures, "report.md"]}
    assert sorted(each.name for each in folder.iterdir()) == sorted(before)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["0,0.5"], "1 numbers for 3 parameters"),
        ([f"{n},0.5" for n in range(9)], "flat, at a probability of 0.5"),
        ([f"{n},0" for n in range(9)], "flat, at a probability of 0"),
        ([f"{n},1" for n in range(9)], "flat, at a probability of 1"),
        (["7,0.6", "0,0.3", "3,0.5", "1,0.4", "1,0.42", "15,0.61"], ""),
    ],
)
def test_degenerate_curves_are_reported(
    rows: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curves = written(tmp_path / "in.csv", rows)
    assert run(["icl", "report", curves, "-o", str(tmp_path / "out"), *LAWS, "--json"]) == 0
    assert said in "\n".join(json.loads(capsys.readouterr().out)["doubts"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.csv", "-o", "out"], "No such file or directory: no.csv"),
        (["in.csv", "-o", "in.csv"], "folder: 'in.csv' is no directory"),
        (["in.csv", "-o", "out", "--law", "cubic"], "law: expected one of bayesian,"),
        (["in.csv", "-o", "out", "--loss", "mae"], "loss: expected one of mse_prob,"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("in.csv"), ["0,0.5", "1,0.6"])
    assert run(["icl", "report", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert said in error[0]
    assert not Path("out").exists()
