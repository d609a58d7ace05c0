"""Tables of the reference package, read and written, and errors in every form; pandas is the oracle."""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.selection import (
    BenchmarkErrors,
    BpbMatrix,
    read_bpb_csv,
    read_errors,
    write_bpb_csv,
    write_errors,
)

pandas = pytest.importorskip("pandas")

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


def matrix(domains: tuple[str, ...], values: Any, models: tuple[str, ...], families: Any = None) -> BpbMatrix:
    nothing = np.zeros(len(domains), np.int64)
    return BpbMatrix(models, families or models, domains, nothing, nothing, nothing, np.array(values, float))


@QUICK
@given(
    domains=st.lists(
        NAMES | st.sampled_from(['a,"b"', "line\nbreak", " lead", "'q'"]), min_size=1, max_size=5, unique=True
    ),
    models=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    data=st.data(),
)
def test_matrices_round_trip(domains: list[str], models: list[str], data: Any, tmp_path: Path) -> None:
    number = st.floats(allow_infinity=False) | st.just(np.nan)
    rows = st.lists(number, min_size=len(domains), max_size=len(domains))
    values = np.array(data.draw(st.lists(rows, min_size=len(models), max_size=len(models))))
    made = matrix(
        tuple(domains), values.reshape(len(models), len(domains)), tuple(models), tuple(models[::-1])
    )
    write_bpb_csv(made, tmp_path / "m.csv")

    back = read_bpb_csv(tmp_path / "m.csv")

    assert (back.models, back.families, back.domains) == (made.models, made.families, made.domains)
    np.testing.assert_array_equal(back.bits_per_byte, made.bits_per_byte)
    # What the scripts of the reference do with it.
    theirs = pandas.read_csv(tmp_path / "m.csv", keep_default_na=False, na_values=[""], dtype={"domain": str})
    assert [ast.literal_eval(head) for head in theirs.columns[1:]] == list(
        zip(made.families, made.models, strict=True)
    )
    assert theirs["domain"].tolist() == domains
    found = theirs.iloc[:, 1:].to_numpy(float)
    np.testing.assert_allclose(found, made.bits_per_byte.T, rtol=1e-15)


def test_a_matrix_as_the_reference_writes_it(tmp_path: Path) -> None:
    """Written by pandas like the reference's script: quoted heads, revisions, keys of a page and a chunk."""
    frame = pandas.DataFrame(
        {
            "id": [' The "title"', "b,c", "nan"],
            "chunk": [0, 1, 0],
            "('pythia', 'EleutherAI/pythia-6.9b-deduped_step100000')": [0.7, np.nan, 1.25],
            "('it''s', 'org/x')".replace("''", "\\'"): [1.0, 2.0, 3.0],
        }
    )
    frame.to_csv(tmp_path / "m.csv", index=False)
    found = read_bpb_csv(tmp_path / "m.csv")
    assert found.models == ("EleutherAI/pythia-6.9b-deduped_step100000", "org/x")
    assert found.families == ("pythia", "it's")
    assert [json.loads(name) for name in found.domains] == [[' The "title"', "0"], ["b,c", "1"], ["nan", "0"]]
    np.testing.assert_array_equal(found.bits_per_byte, [[0.7, np.nan, 1.25], [1, 2, 3]])
    assert (found.tokens.sum(), found.bytes.sum(), found.documents.sum()) == (0, 0, 0)
    frame.drop(columns="chunk").to_csv(tmp_path / "i.csv", index=False)
    assert read_bpb_csv(tmp_path / "i.csv").domains == (' The "title"', "b,c", "nan")


def test_a_streamed_matrix_is_written_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    made = matrix(tuple(f"d{i}" for i in range(50)), rng.random((3, 50)), ("a", "b", "c"))
    made.save(tmp_path / "m.parquet")
    from pyfastlm.selection import column_blocks

    opened = BpbMatrix.open(tmp_path / "m.parquet")
    blocks = column_blocks.blocks(tmp_path / "m.parquet", models=opened.models, size=7)
    monkeypatch.setattr(BpbMatrix, "blocks", lambda self: blocks)
    write_bpb_csv(opened, tmp_path / "streamed.csv")
    monkeypatch.undo()
    write_bpb_csv(made, tmp_path / "whole.csv")
    assert (tmp_path / "streamed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_model_twice(tmp_path: Path) -> None:
    """The published tables have one checkpoint under two families."""
    head = "domain,\"('llm360', 'LLM360/Amber')\",\"('x', 'y')\",\"('amber', 'LLM360/Amber')\"\n"
    (tmp_path / "same.csv").write_text(head + "d,0.5,1,0.5\ne,,1,\n")
    (tmp_path / "other.csv").write_text(head + "d,0.5,1,0.6\ne,,1,\n")
    with pytest.raises(
        InputError, match=r"^path: .* model 'LLM360/Amber' twice, with the same numbers; pass"
    ):
        read_bpb_csv(tmp_path / "same.csv")
    found = read_bpb_csv(tmp_path / "same.csv", duplicates="drop")
    assert (found.models, found.families) == (("LLM360/Amber", "y"), ("llm360", "x"))
    assert found.bits_per_byte.shape == (2, 2)
    for rule in ("raise", "drop"):
        with pytest.raises(InputError, match=r"'LLM360/Amber' twice, with different numbers"):
            read_bpb_csv(tmp_path / "other.csv", duplicates=rule)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^duplicates: expected one of raise, drop, got 'family'"):
        read_bpb_csv(tmp_path / "same.csv", duplicates="family")  # type: ignore[arg-type]


EVIL = "(" * 300 + ")" * 300
BOMB = "('a', " + "-" * 900 + "1)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no head line"),
        (b"domain,m", "no head line"),
        (b"a,b\n1,2\n", "needs columns among domain, id, chunk, each once"),
        (b"domain,domain,m\nx,y,1\n", "needs columns among"),
        (b"domain,m\nx,abc\n", "cannot read"),
        (b"domain,m\nx\n", "cannot read"),
        (b"domain,m\nx,inf\n", "infinite number in row 1 of 'm'"),
        (b"domain,m\nx,1\nx,2\n", "domains: expected each once, got 'x' twice"),
        (b"domain,m\n\xff,1\n", "cannot read"),
        (b"\xff,m\n", "no head line"),
        (b'domain,"m\nx,1\n', "no head line"),
        (f'domain,"{EVIL}"\nx,1\n'.encode(), "expected .'family', 'name'"),
        (f'domain,"{BOMB}"\nx,1\n'.encode(), "expected .'family', 'name'"),
        (b"domain,\"('a', 'b', 'c')\"\nx,1\n", "expected .'family', 'name'"),
        (b"domain,\"('a', 3)\"\nx,1\n", "expected .'family', 'name'"),
        (b"domain,\"(__import__('os'), 'b')\"\nx,1\n", "expected .'family', 'name'"),
    ],
)
def test_matrices_that_are_none(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_bpb_csv(tmp_path / "m.csv")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"^path: cannot read"):
        read_bpb_csv(tmp_path / "none.csv")


VALUES = np.array([[0.5, 0.25, np.nan], [0.125, 0.75, 1e-300]])
ERRORS = BenchmarkErrors(("org/x", "y"), ("fam", "y"), ("arc", "piqa", "sciq"), VALUES)


def same(found: BenchmarkErrors, wanted: BenchmarkErrors = ERRORS) -> None:
    assert (found.models, found.families, found.benchmarks) == (
        wanted.models, wanted.families, wanted.benchmarks,
    )  # fmt: skip
    np.testing.assert_array_equal(found.values, wanted.values)


def forms() -> dict[str, Any]:
    by_benchmark = pandas.DataFrame(VALUES.T, columns=["('fam', 'org/x')", "y"])
    by_benchmark.insert(0, "benchmark", ERRORS.benchmarks)
    by_model = pandas.DataFrame(VALUES, columns=ERRORS.benchmarks)
    by_model.insert(1, "model", ERRORS.models)
    by_model.insert(0, "family", ERRORS.families)
    long = by_model.melt(["model", "family"], var_name="benchmark", value_name="error")
    return {"by_benchmark": by_benchmark, "by_model": by_model, "long": long}


@pytest.mark.parametrize("form", ["by_benchmark", "by_model", "long"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_every_form_in_every_format(form: str, suffix: str, tmp_path: Path) -> None:
    frame, path = forms()[form], tmp_path / f"e{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    else:
        frame.to_json(path, orient="records", lines=True, double_precision=15)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:  # pandas rounds 1e-300 away
            for name, value in line.items():
                line[name] = 1e-300 if value == 0 else value
        path.write_text("\n".join(map(json.dumps, lines)))
    same(read_errors(path))


@QUICK
@given(data=st.data(), models=st.lists(NAMES, min_size=1, max_size=3, unique=True))
def test_errors_round_trip(data: Any, models: list[str], tmp_path: Path) -> None:
    benchmarks = data.draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    rows = st.lists(st.floats(allow_infinity=False), min_size=len(benchmarks), max_size=len(benchmarks))
    values = np.array(data.draw(st.lists(rows, min_size=len(models), max_size=len(models))))
    made = BenchmarkErrors(tuple(models), tuple(models[::-1]), tuple(benchmarks), values)
    write_errors(made, tmp_path / "e.csv")
    same(read_errors(tmp_path / "e.csv"), made)


def test_pairs_that_have_no_row_are_missing(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text(
        '{"model": "a", "benchmark": "x", "value": 0.5}\n\n{"model": "b", "benchmark": "y", "value": "1"}\n'
    )
    found = read_errors(tmp_path / "e.jsonl")
    same(found, BenchmarkErrors(("a", "b"), ("a", "b"), ("x", "y"), np.array([[0.5, np.nan], [np.nan, 1]])))


def test_a_model_twice_in_errors(tmp_path: Path) -> None:
    head = "benchmark,\"('llm360', 'LLM360/Amber')\",\"('amber', 'LLM360/Amber')\"\n"
    (tmp_path / "e.csv").write_text(head + "arc,0.5,0.5\n")
    with pytest.raises(InputError, match=r"twice, with the same numbers; pass duplicates='drop'"):
        read_errors(tmp_path / "e.csv")
    assert read_errors(tmp_path / "e.csv", duplicates="drop").families == ("llm360",)
    (tmp_path / "e.csv").write_text(head + "arc,0.5,0.6\n")
    with pytest.raises(InputError, match=r"twice, with different numbers"):
        read_errors(tmp_path / "e.csv", duplicates="drop")
    (tmp_path / "m.csv").write_text("model,arc\na,1\na,1\n")
    assert read_errors(tmp_path / "m.csv", duplicates="drop").models == ("a",)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("e.csv", "", "no column 'benchmark' or 'model'"),
        ("e.csv", "a,b\n1,2\n", "no column 'benchmark' or 'model'; its columns are: a, b"),
        ("e.csv", "benchmark,m\n", "1 models and 0 benchmarks"),
        ("e.csv", "benchmark\narc\n", "0 models and 1 benchmarks"),
        ("e.csv", "benchmark,m\narc,abc\n", "row 2: expected a finite number as 'm', got 'abc'"),
        ("e.csv", "benchmark,m\narc,inf\n", "row 2: expected a finite number as 'm', got 'inf'"),
        ("e.csv", "benchmark,m\narc,1_0\n", "row 2: expected a finite number as 'm', got '1_0'"),
        ("e.csv", "benchmark,m\narc\n", "line 2: 1 cells under 2 heads"),
        ("e.csv", "benchmark,m\n,1\n", "row 2: expected a name as benchmark, got ''"),
        ("e.csv", "benchmark,m\narc,1\narc,2\n", "benchmarks: expected each once, got 'arc' twice"),
        ("e.csv", "benchmark,benchmark,m\na,b,1\n", "has the column 'benchmark' twice"),
        ("e.csv", 'benchmark,m\n"arc,1\n', "line 2"),
        ("e.csv", "model,benchmark,accuracy\na,b,1\n", "needs a column 'error'"),
        ("e.csv", "model,benchmark,error,value\na,b,1,2\n", "needs a column 'error'"),
        ("e.csv", "model,benchmark,error\na,b,1\na,b,1\n", "row 3: 'a' on 'b' was there before"),
        (
            "e.csv",
            "model,family,benchmark,error\na,f,b,1\na,g,c,1\n",
            "row 3: 'a' was of the family 'f' before",
        ),
        ("e.jsonl", "{", "line 1: invalid JSON"),
        ("e.jsonl", '{"model": 3, "arc": 1}', "row 1: expected a name as model, got 3"),
        ("e.jsonl", '{"model": "a", "arc": true}', "row 1: expected a finite number as 'arc', got 'True'"),
        ("e.jsonl", '{"model": "a", "arc": [1]}', "expected a finite number"),
        ("e.jsonl", '{"model": "a", "arc": 1' + "0" * 400 + "}", "expected a finite number"),
        ("e.parquet", "PAR1", "cannot read"),
        ("e.txt", "x", "expected a name ending in .csv, .parquet or .jsonl"),
    ],
)
def test_errors_that_are_none(name: str, data: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(data)
    with pytest.raises(InputError, match=message) as caught:
        read_errors(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^path: cannot read '.*none.csv': No such file"):
        read_errors(tmp_path / "none.csv")
    (tmp_path / "e.csv").write_bytes(b"benchmark,m\narc,\xff\n")
    with pytest.raises(InputError, match=r"^path: .*e.csv', line"):
        read_errors(tmp_path / "e.csv")
    monkeypatch.setattr("pyfastlm.selection.tables.table_rows.MOST_BYTES", 10)
    with pytest.raises(InputError, match=r"has more than 0 MiB"):
        read_errors(tmp_path / "e.csv")
    monkeypatch.undo()
    monkeypatch.setattr("pyfastlm.selection.tables.table_rows.MOST_CELLS", 10)
    (tmp_path / "e.jsonl").write_text(
        "".join(json.dumps({"model": f"m{i}", f"b{i}": 1}) + "\n" for i in range(9))
    )
    with pytest.raises(InputError, match=r"would be a table of 9 x 10, which is too large"):
        read_errors(tmp_path / "e.jsonl")


@QUICK
@given(data=st.binary(max_size=100), suffix=st.sampled_from([".csv", ".jsonl", ".parquet"]))
def test_any_bytes(data: bytes, suffix: str, tmp_path: Path) -> None:
    """Read or refused: any other error fails the test."""
    path = tmp_path / f"any{suffix}"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        read_errors(path)
    with contextlib.suppress(InputError):
        read_bpb_csv(path)


@QUICK
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_parquet_changed_anywhere(place: float, value: int, tmp_path: Path) -> None:
    """Read or refused: any other error fails the test. Names and types have no checksum."""
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pandas(forms()["long"], preserve_index=False), sink, write_page_checksum=True
    )
    data = bytearray(sink.getvalue())
    data[int(place * len(data))] = value
    (tmp_path / "e.parquet").write_bytes(data)
    with contextlib.suppress(InputError):
        read_errors(tmp_path / "e.parquet")
