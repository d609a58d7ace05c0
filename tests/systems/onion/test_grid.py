"""Grids: what they hold, that they resume and grow, and the report on them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pyfastlm.errors import InputError
from pyfastlm.onion import TrainingOptions, evaluate, load_model
from pyfastlm.onion.grid import (
    COMMON,
    KINDS,
    OWN,
    Condition,
    FitOptions,
    Plan,
    estimate,
    read_grid,
    run_grid,
    running,
)
from pyfastlm.onion.interventions import load_intervention
from pyfastlm.onion.report import tables
from pyfastlm.onion.report.writing import write_report

PLAN = Plan(
    sizes=(9,),
    seeds=(0, 1),
    training=TrainingOptions(60, 32, lr=1e-2, warmup=5, log_every=20, checkpoint_every=20),
    fitting=FitOptions(20, 32),
    n_symbols=5,
    min_len=1,
    max_len=4,
    n_train=500,
    n_valid=60,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("grid")
    run_grid(PLAN, place)
    return place


def test_a_cell_holds_what_its_parts_say(home: Path) -> None:
    found = read_grid(home)
    assert [each.cell.name for each in found] == ["N9-autoregressive-seed0", "N9-autoregressive-seed1"]
    cell = found[1]
    assert {fit.kind for fit in cell.fits} == set(KINDS)
    model = load_model(home / cell.cell.name / "training" / "checkpoint-000000060" / "model.pt")
    task = PLAN.task(1)
    assert cell.model.exact == evaluate(model, task).scores.taught
    assert len(cell.model.gates) == 2 * task.max_len
    (bigram,) = (fit for fit in cell.fits if fit.kind == "linear bigram")
    assert (bigram.own, bigram.lengths, bigram.edits) == (True, "max", "one")
    assert sum(bigram.channels) == 9
    assert 0 < bigram.orthogonality < 1e-5
    (path,) = (home / cell.cell.name / "fits").glob("linear-bigram*.pt")
    intervention = load_intervention(path, "bigram", model.config)
    for row in bigram.rows:
        again = evaluate(model, task, intervention, lengths=row.lengths, edits=row.edits)
        assert (row.exact, row.tokens) == (again.scores.taught, again.scores.tokens)
        assert row.identity == again.identity.taught


def test_all_interventions_see_the_same_corruptions(home: Path) -> None:
    for cell in read_grid(home):
        for condition in COMMON:
            rows = [row for fit in cell.fits for row in fit.rows if (row.lengths, row.edits) == condition]
            assert len(rows) == len(KINDS)
            assert len({row.identity for row in rows}) == 1


def test_done_once_it_is_only_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "train", None)
    assert run_grid(PLAN, home) == read_grid(home)
    assert estimate(PLAN, home) == 0.0


def test_what_is_missing_is_done_again_and_the_same(home: Path) -> None:
    before = read_grid(home)
    (home / "N9-autoregressive-seed0" / "fits" / "onion-all-one.json").unlink()
    after = run_grid(PLAN, home, workers=2)
    for old, new in zip(before, after, strict=True):
        assert [_timeless(fit) for fit in old.fits] == [_timeless(fit) for fit in new.fits]


def _timeless(fit: Any) -> Any:
    return replace(fit, seconds=0.0)


def test_a_larger_plan_adds_to_what_is_there(home: Path) -> None:
    larger = replace(PLAN, conditions=(OWN, Condition("max", "one")), seeds=(0,))
    assert estimate(larger, home) > 0
    (cell,) = run_grid(larger, home)
    assert len(cell.fits) == len(KINDS) + 3  # a bigram's own condition is this one
    page = write_report([cell], home / "report").read_text()
    assert "learned here" in page
    for path in (home / "N9-autoregressive-seed0" / "fits").glob("*-max-one.*"):
        if "bigram" not in path.name:
            path.unlink()


def test_another_plan_is_refused(home: Path) -> None:
    for changed, what in (
        ({"fitting": FitOptions(21, 32)}, "another fitting"),
        ({"n_train": 400}, "another task"),
        ({"training": replace(PLAN.training, lr=2e-2)}, "another training"),
    ):
        with pytest.raises(InputError, match=what):
            run_grid(replace(PLAN, **changed), home)


def test_a_damaged_file_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no trained model"):
        read_grid(tmp_path)
    path = home / "N9-autoregressive-seed1" / "model.json"
    good = path.read_bytes()
    try:
        for bad in (b"[]", b"{}", b"{", good.replace(b'"hits"', b'"hit"', 1)):
            path.write_bytes(bad)
            with pytest.raises(InputError, match=r"model\.json"):
                read_grid(home)
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    "changed",
    [{"sizes": ()}, {"sizes": (3, 3)}, {"sizes": (0,)}, {"seeds": (-1,)}, {"kinds": ("onions",)},
     {"conditions": ()}],
)  # fmt: skip
def test_plans_are_checked(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(changed))):
        replace(PLAN, **changed)


@pytest.mark.slow
def test_an_error_in_a_worker_is_that_of_the_call(tmp_path: Path) -> None:
    wild = replace(PLAN, training=replace(PLAN.training, lr=1e30, warmup=0))
    with pytest.raises(InputError, match="lr: the loss is"):
        run_grid(wild, tmp_path, workers=2)
    with pytest.raises(InputError, match="workers"):
        run_grid(PLAN, tmp_path, workers=0)


def test_tables_say_what_the_rows_say(home: Path) -> None:
    found = read_grid(home)
    table = tables.own(found)
    assert table.columns == ["model", *KINDS]
    shares = [
        row.exact.share
        for cell in found
        for fit in cell.fits
        if fit.kind == "onion"
        for row in fit.rows
        if (row.lengths, row.edits) == ("all", "one")
    ]
    mean = sum(shares) / 2
    assert table.rows[0][1].startswith(f"{mean:.3f} +- {abs(shares[0] - shares[1]) / math.sqrt(2):.3f} (")
    for condition in COMMON:
        assert tables.common(found, condition).columns == ["model", *KINDS, "identity"]
    (said,) = tables.verdicts(found)
    assert f"onion {mean:.3f}" in said


def test_the_report_is_a_page_with_pictures(home: Path, tmp_path: Path) -> None:
    page = write_report(read_grid(home), tmp_path / "report")
    text = page.read_text()
    for name in ("sizes.svg", "curves.svg", "gates.svg"):
        assert f"({name})" in text
        assert (page.parent / name).read_bytes().startswith(b"<?xml")
    with pytest.raises(InputError, match="no directory"):
        write_report(read_grid(home), page)
    with pytest.raises(InputError, match="at least one"):
        write_report([], tmp_path)


def test_settings_hold_all_that_decides(home: Path) -> None:
    settings = json.loads((home / "N9-autoregressive-seed0" / "settings.json").read_bytes())
    assert settings == json.loads(json.dumps(PLAN.settings(PLAN.cells[0])))
