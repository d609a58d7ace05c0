"""The matrix of bits per byte: equal to the obvious sums, whatever the files look like and whoever scores."""

import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pyarrow.parquet as pq
import pytest
import samples
from samples import Stub
from tiny import save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.selection import BpbMatrix, Model, bpb_matrix


def models(*scorers: Stub, **options: Any) -> list[Model]:
    return [Model(scorer.name, scorer=scorer, **options) for scorer in scorers]


@pytest.fixture
def rows() -> samples.Rows:
    return samples.sample(60)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".ndjson.zst", ".parquet"])
def test_numbers_are_sums_over_domains(suffix: str, rows: samples.Rows, tmp_path: Path) -> None:
    stubs = [Stub("b"), Stub("a")]
    source = samples.write(tmp_path / f"in{suffix}", rows)

    report = bpb_matrix(models(*stubs), source, tmp_path / "out.parquet")

    matrix = report.open()
    names, values = samples.expected(stubs, rows)
    assert (matrix.models, matrix.domains) == (("b", "a"), tuple(names))
    np.testing.assert_allclose(matrix.bits_per_byte, values, rtol=1e-13)
    for place, name in enumerate(names):
        texts = [text for domain, text in rows if domain == name]
        sizes = [len(text.encode()) for text in texts]
        assert matrix.documents[place] == len(texts)
        assert matrix.bytes[place] == sum(sizes)
        assert matrix.tokens[place] == sum(stubs[0].one(text).n_tokens for text in texts)
    assert (report.domains, report.documents, report.rows) == (5, 60, 60)
    assert (report.useless, report.dropped, report.dropped_domains, report.shrunk_domains) == (0, 0, (), 0)
    assert (report.missing_scores, report.examples) == (None, ())
    for model, row in zip(report.models, values, strict=True):
        bits = (row * matrix.bytes).sum() / matrix.bytes.sum()
        assert model.bits_per_byte == pytest.approx(bits, rel=1e-12)
        assert (model.kept, model.reason, model.missing) == (True, "", 0)
    assert [noted["fingerprint"] for noted in matrix.details] == ["stub b", "stub a"]


def test_a_real_model_and_one_of_another_kind(tiny_lm_dir: Path, tmp_path: Path) -> None:
    """An LM by its directory and a scorer of our own go the same way; the LM's numbers are its Scorer's."""
    rows = samples.sample(25)
    source = samples.write(tmp_path / "in.jsonl", rows)
    with jobs.one_thread():
        listed = [Model("tiny", "llama", path=str(tiny_lm_dir)), Model("stub", scorer=lambda: Stub("stub"))]
        report = bpb_matrix(listed, source, tmp_path / "out.parquet", max_length=64, tokens_per_batch=64)
        from pyfastlm.lm import Scorer, load

        scorer = Scorer(load(tiny_lm_dir), max_length=64)
        _, values = samples.expected([scorer, Stub("stub")], rows)
    matrix = report.open()
    assert matrix.families == ("llama", "stub")
    np.testing.assert_allclose(matrix.bits_per_byte, values, rtol=1e-6)
    assert matrix.details[0]["fingerprint"] == scorer.fingerprint
    assert report.models[0].seconds > 0
    assert report.models[0].tokens_per_second > 0


def test_several_files_in_any_order_give_the_same_matrix(rows: samples.Rows, tmp_path: Path) -> None:
    parts = [samples.write(tmp_path / "a.jsonl", rows[:23]), samples.write(tmp_path / "b.parquet", rows[23:])]
    stubs = [Stub("x"), Stub("y")]
    found = [
        bpb_matrix(models(*stubs), order, tmp_path / f"{number}.parquet").open()
        for number, order in enumerate([parts, parts[::-1], [str(tmp_path / "[ab].*")]])
    ]
    whole = bpb_matrix(models(*stubs), samples.write(tmp_path / "all.jsonl", rows), tmp_path / "w.parquet")
    for matrix in found:
        assert matrix.domains == whole.open().domains
        np.testing.assert_allclose(matrix.bits_per_byte, whole.open().bits_per_byte, rtol=1e-14)


def test_other_keys(rows: samples.Rows, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"site": d, "body": t}) + "\n" for d, t in rows))
    output = tmp_path / "out.parquet"
    report = bpb_matrix(models(Stub("a")), source, output, text_key="body", domain_key="site")
    np.testing.assert_allclose(
        report.open().bits_per_byte, samples.expected([Stub("a")], rows)[1], rtol=1e-13
    )


def test_the_report_is_also_a_file(rows: samples.Rows, tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", rows)
    stubs = [Stub("a"), Stub("b", nan=[rows[3][1]])]
    report = bpb_matrix(models(*stubs), source, tmp_path / "out.parquet", missing="drop_model")
    found = json.loads(report.report.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert report.report == tmp_path / "out.report.json"
    assert found["output"] == str(tmp_path / "out.parquet")
    assert [model["name"] for model in found["models"]] == ["a", "b"]
    assert found["models"][1]["bits_per_byte"] is None
    assert math.isnan(report.models[1].bits_per_byte)
    assert found["examples"][0]["row"] == 4
    assert [model.name for model in report.kept] == ["a"]


def test_called_again_nothing_is_scored_and_no_model_loaded(
    rows: samples.Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        save_tiny_lm(tmp_path / f"lm{seed}", seed=seed)
    listed = [str(tmp_path / "lm0"), str(tmp_path / "lm1")]
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    with jobs.one_thread():
        first = bpb_matrix(listed, source, output)
        before = output.read_bytes()
        monkeypatch.setattr("pyfastlm.lm.load", lambda *_, **__: pytest.fail("a model is loaded"))
        again = bpb_matrix(listed, source, output)
        assert output.read_bytes() == before
        assert [model.seconds for model in again.models] == [model.seconds for model in first.models]
        monkeypatch.undo()
        # A model that was written anew in its place is looked at again.
        save_tiny_lm(tmp_path / "lm1", seed=5)
        with pytest.raises(InputError, match="another fingerprint"):
            bpb_matrix(listed, source, output)
        bpb_matrix(listed, source, output, resume=False)
        assert output.read_bytes() != before


def test_more_models_score_only_these(rows: samples.Rows, tmp_path: Path) -> None:
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    bpb_matrix(models(Stub("a")), source, output)
    again, new = Stub("a"), Stub("b")
    matrix = bpb_matrix(models(new, again), source, output).open()
    assert (again.asked, sorted(new.asked)) == ([], sorted(text for _, text in rows))
    assert matrix.models == ("b", "a")
    np.testing.assert_allclose(matrix.bits_per_byte, samples.expected([new, again], rows)[1], rtol=1e-13)


def test_one_model_in_memory_at_a_time(
    rows: samples.Rows, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    alive: list[weakref.ref[Stub]] = []

    def make(name: str) -> Any:
        def made() -> Stub:
            assert not any(one() for one in alive), "the model before is still there"
            stub = Stub(name)
            stub.asked = [stub]  # type: ignore[list-item]  # as modules of a network know each other
            alive.append(weakref.ref(stub))
            return stub

        return made

    listed = [Model(name, scorer=make(name)) for name in "abc"]
    gc.disable()
    request.addfinalizer(gc.enable)
    bpb_matrix(listed, samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    assert len(alive) == 3


def test_revision_and_dtype_reach_the_loader(
    rows: samples.Rows, tiny_lm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def download(name: str, *, revision: str, **_: Any) -> str:
        asked.append((name, revision))
        return str(tiny_lm_dir)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    listed = [
        Model("org/lm", "lm", revision="step10"),
        Model("half", "lm", path=str(tiny_lm_dir), dtype="bfloat16"),
    ]
    with jobs.one_thread():
        source = samples.write(tmp_path / "in.jsonl", rows)
        matrix = bpb_matrix(listed, source, tmp_path / "out.parquet").open()
    assert asked == [("org/lm", "step10")]
    assert matrix.models == ("org/lm_step10", "half")
    assert (matrix.details[0]["revision"], matrix.details[1]["dtype"]) == ("step10", "bfloat16")
    assert matrix.details[0]["fingerprint"] != matrix.details[1]["fingerprint"]
    np.testing.assert_allclose(*matrix.bits_per_byte, rtol=0.02)


def test_files_kept_beside_the_matrix(rows: samples.Rows, tmp_path: Path) -> None:
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    report = bpb_matrix([Model("../we ird/名", scorer=Stub("x"))], source, output)
    assert jobs.left_behind(tmp_path, source, output, report.report) == ["out.parquet.models"]
    kept = [path.name for path in (tmp_path / "out.parquet.models").iterdir()]
    assert sorted(Path(name).suffix for name in kept) == ["", ".json", ".lock", ".parquet"]
    assert all("/" not in name and name.isascii() for name in kept)
    (table,) = (tmp_path / "out.parquet.models").glob("*.parquet")
    assert pq.read_table(table).num_rows == 60


def test_the_default_budget_is_that_of_a_scorer() -> None:
    from pyfastlm.lm.scorer import TOKENS_PER_BATCH
    from pyfastlm.selection.bpb import job as matrix_job

    assert matrix_job.TOKENS_PER_BATCH == TOKENS_PER_BATCH


def test_the_matrix_is_one(rows: samples.Rows, tmp_path: Path) -> None:
    report = bpb_matrix(
        models(Stub("a")), samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    )
    assert isinstance(report.open(), BpbMatrix)
    assert report.open().source == tmp_path / "out.parquet"
