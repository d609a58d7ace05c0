"""AmazonQAC's files: what is read, what is written, what is refused with its row; the draw of prefixes."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from searches import TRAIN_ROW, sample_rows

from pyfastlm.errors import InputError
from pyfastlm.qac import Row, Search, one_prefix, read_amazonqac, write_amazonqac
from pyfastlm.qac.split import sample

TRAIN = {
    "query_id": 17,
    "session_id": "s-1",
    "prefixes": ["n", "ne", "n", "net "],
    "first_prefix_typed_time": "2023-09-04T20:46:14.293Z",
    "final_search_term": "net curtains",
    "search_time": "2023-09-13 01:23:37.449",
    "popularity": 4,
}
TEST = {
    "query_id": "18",
    "session_id": "s-1",
    "past_search_terms": [["日傘", "2023-09-04 20:46:14.293"], ["net", "2023-09-04T20:46:15.1Z"]],
    "prefix": "net ",
    "prefix_typed_time": "2023-09-04T20:46:14.293Z",
    "final_search_term": "net curtains",
    "search_time": "2023-09-13T01:23:37.449+02:00",
}


def jsonl(path: Path, *rows: Any) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_a_row_of_each_split(tmp_path: Path) -> None:
    train, test = read_amazonqac([jsonl(tmp_path / "a.jsonl", TRAIN), jsonl(tmp_path / "b.jsonl.gz", TEST)])
    typed, time = datetime(2023, 9, 4, 20, 46, 14, 293000), datetime(2023, 9, 13, 1, 23, 37, 449000)
    assert train == Row("17", "s-1", (), ("n", "ne", "n", "net "), typed, "net curtains", time, popularity=4)
    past = (Search("日傘", typed), Search("net", datetime(2023, 9, 4, 20, 46, 15, 100000)))
    night = datetime(2023, 9, 12, 23, 23, 37, 449000)
    assert test == Row("18", "s-1", past, ("net ",), typed, "net curtains", night, popularity=None)


def test_past_searches_as_text(tmp_path: Path) -> None:
    row = TEST | {"past_search_terms": json.dumps(TEST["past_search_terms"])}
    (found,) = read_amazonqac(jsonl(tmp_path / "a.jsonl", row))
    assert [search.term for search in found.past] == ["日傘", "net"]


def test_times_as_timestamps(tmp_path: Path) -> None:
    time = datetime(2023, 9, 13, 1, 23, 37, 449000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([TRAIN | {"search_time": time}]), path)
    (found,) = read_amazonqac(path)
    assert found.time == time


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_written_is_read(split: str, tmp_path: Path) -> None:
    rows = sample_rows(200, seed=1)
    given = rows if split == "train" else one_prefix(rows)
    path = tmp_path / "rows.parquet"
    assert write_amazonqac(given, path) == len(given)
    assert list(read_amazonqac(path)) == given
    names = pq.read_schema(path).names
    assert names == list(TRAIN if split == "train" else TEST)
    assert [item.name for item in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (TRAIN | {"prefixes": []}, "prefixes: expected a list of at least one string, got \\[\\]"),
        (TRAIN | {"prefixes": "net"}, "prefixes: expected a list"),
        (TRAIN | {"prefixes": ["n", 3]}, "prefixes: expected a string, got 3"),
        (TRAIN | {"final_search_term": None}, "final_search_term: expected a string, got nothing"),
        (TRAIN | {"search_time": "yesterday"}, "search_time: expected a time, got 'yesterday'"),
        (TRAIN | {"search_time": 7}, "search_time: expected a time, got 7"),
        (TRAIN | {"popularity": "many"}, "popularity: expected a whole number, got 'many'"),
        (TRAIN | {"query_id": None}, "query_id: expected a string, got nothing"),
        (TEST | {"past_search_terms": "[["}, "past_search_terms: expected a list, got '\\[\\['"),
        (
            TEST | {"past_search_terms": [["a"]]},
            "past_search_terms: expected \\[term, time\\], got \\['a'\\]",
        ),
        (TEST | {"past_search_terms": [["a", "b"]]}, "time in past_search_terms: expected a time, got 'b'"),
        (TEST | {"prefix": "\ud800"}, "prefix: lone surrogate at character 0"),
        ([1], "expected a JSON object, got an array"),
    ],
)
def test_wrong_rows_are_named(row: Any, message: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", TRAIN, row)
    with pytest.raises(InputError, match=f"a.jsonl', row 2: {message}"):
        list(read_amazonqac(path))


def test_wrong_files_are_named(tmp_path: Path) -> None:
    whole = jsonl(tmp_path / "a.jsonl.gz", TRAIN).read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-20])
    write_amazonqac(sample_rows(50, seed=2), tmp_path / "a.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    pq.write_table(pa.table({"prefix": ["a"]}), tmp_path / "other.parquet")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\n")
    (tmp_path / "a.txt").write_text("a")
    for name, message in {
        "cut.jsonl.gz": "truncated or damaged gzip",
        "cut.parquet": "truncated or damaged parquet",
        "other.parquet": "has no column 'query_id'",
        "empty.jsonl": "has no row",
        "bytes.jsonl": "row 1: not UTF-8",
        "a.txt": "expected .parquet or .jsonl files",
        "none.jsonl": "cannot read",
    }.items():
        with pytest.raises(InputError, match=message):
            list(read_amazonqac(tmp_path / name))


def test_one_prefix_is_drawn_from_each_row_and_the_session_is_its_past() -> None:
    times = [datetime(2023, 9, day) for day in (1, 2, 3)]
    rows = [
        TRAIN_ROW._replace(query_id=str(number), term=f"t{number}", time=time)
        for number, time in enumerate(times)
    ]
    other = TRAIN_ROW._replace(query_id="9", session_id="other", time=times[1])
    found = one_prefix([rows[2], other, rows[0], rows[1]], since=times[1])
    assert [row.query_id for row in found] == ["1", "9", "2"]
    assert [search.term for search in found[2].past] == ["t0", "t1"]
    assert [search.time for search in found[2].past] == times[:2]
    assert found[1].past == ()
    assert all(len(row.prefixes) == 1 and row.popularity is None for row in found)
    assert one_prefix([other, *rows], since=times[1]) == found


def test_every_prefix_is_drawn_as_often() -> None:
    rows = [TRAIN_ROW._replace(query_id=str(number), session_id=str(number)) for number in range(4000)]
    drawn = [row.prefixes[0] for row in one_prefix(rows, seed=3)]
    for prefix in TRAIN_ROW.prefixes:
        assert abs(drawn.count(prefix) / 4000 - 1 / len(TRAIN_ROW.prefixes)) < 0.04
    assert [row.prefixes for row in one_prefix(rows, seed=4)] != [
        row.prefixes for row in one_prefix(rows, seed=3)
    ]


def test_a_sample_keeps_the_order() -> None:
    rows = sample_rows(100, seed=0)
    some = sample(rows, 30, seed=1)
    assert [row for row in rows if row in some] == some
    assert len(some) == 30
    assert sample(rows, 10**6) == rows
