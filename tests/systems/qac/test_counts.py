"""Counting terms out of core: the same as counting them one by one."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from searches import sample_rows

from pyfastlm.errors import InputError
from pyfastlm.qac import Row, count_terms, read_counts, write_amazonqac

CUT = datetime(2023, 9, 20)


def jsonl(path: Path, rows: list[Row]) -> Path:
    fields = [{"final_search_term": row.term, "search_time": f"{row.time}", "other": [1]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in fields), "utf-8")
    return path


def by_hand(rows: list[Row]) -> list[tuple[str, int]]:
    return sorted(Counter(row.term for row in rows).items(), key=lambda item: item[0].encode())


@pytest.mark.parametrize(
    ("since", "until"), [(None, None), (None, CUT), (CUT, None), (datetime(2023, 9, 5, 12), CUT)]
)
def test_counts_of_files_of_both_kinds(since: Any, until: Any, tmp_path: Path) -> None:
    rows = sample_rows(400, seed=5)
    write_amazonqac(rows[::2], tmp_path / "it's [a].parquet")
    files = [tmp_path / "it's [a].parquet", jsonl(tmp_path / "b.jsonl", rows[1::2])]
    inside = [row for row in rows if (not since or row.time >= since) and (not until or row.time < until)]
    counts = count_terms(files, tmp_path / "counts.parquet", since=since, until=until, threads=1)
    assert list(read_counts(counts.path)) == by_hand(inside)
    assert (counts.rows, counts.terms) == (len(inside), len(by_hand(inside)))
    assert len(list(tmp_path.iterdir())) == 3  # nothing is left beside it


def test_little_memory_is_enough(tmp_path: Path) -> None:
    terms = [f"term {number * 7919 % 200_003:07d} with a tail that takes room" for number in range(300_000)]
    pq.write_table(pa.table({"final_search_term": terms, "search_time": ["2023-09-01 00:00:00"] * 300_000}),
                   tmp_path / "a.parquet")  # fmt: skip
    counts = count_terms(tmp_path / "a.parquet", tmp_path / "c.parquet", memory=64 << 20, threads=1)
    found = list(read_counts(counts.path))
    assert (counts.rows, counts.terms) == (300_000, 200_003)
    assert found == sorted(Counter(terms).items())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"final_search_term": null, "search_time": "2023-09-01 00:00:00"}',
            "a row has no final_search_term",
        ),
        ('{"final_search_term": "a"}', "a row has no search_time"),
        ('{"final_search_term": "a", "search_time": "soon"}', "timestamp"),
        ('{"final_search_term": "a', "Malformed JSON"),
    ],
)
def test_wrong_rows_stop_the_count(line: str, message: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", sample_rows(5, seed=0))
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    (tmp_path / "counts.parquet").write_text("what was there before")
    with pytest.raises(InputError, match=f"^files: .*{message}"):
        count_terms(path, tmp_path / "counts.parquet", until=CUT)
    assert (tmp_path / "counts.parquet").read_text() == "what was there before"
    assert len(list(tmp_path.iterdir())) == 2


def test_wrong_files_and_windows(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", sample_rows(5, seed=0))
    with pytest.raises(InputError, match="no row between since and until"):
        count_terms(path, tmp_path / "c.parquet", since=datetime(2024, 1, 1))
    with pytest.raises(InputError, match=r"out: .* is a directory"):
        count_terms(path, tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r'files: .*"final_search_term" not found'):
        count_terms(tmp_path / "b.parquet", tmp_path / "c.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(InputError, match=r"^files: "):
        count_terms(tmp_path / "b.parquet", tmp_path / "c.parquet")
    with pytest.raises(InputError, match=r"counts: .*b.parquet, after row 0"):
        list(read_counts(tmp_path / "b.parquet"))
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match="has no column 'count'"):
        list(read_counts(tmp_path / "b.parquet"))
