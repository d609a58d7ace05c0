"""One saved part: a small Parquet file of scored and rejected rows, checksummed, written atomically."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.lm.files.plan import Part

if TYPE_CHECKING:
    from pyfastlm.lm.scores import TextScore

SUFFIX = ".part"
SCORES = ("logp", "n_tokens", "n_bytes", "n_windows", "bits_per_byte")


def schema() -> Any:
    """``source`` index, ``row``, ``id``; then ``reason``, or the scores."""
    pa = require("pyarrow", "lm")
    return pa.schema(
        [
            pa.field("source", pa.int32(), nullable=False),
            pa.field("row", pa.int64(), nullable=False),
            pa.field("id", pa.string()),
            pa.field("reason", pa.string()),
            pa.field("logp", pa.float64()),
            pa.field("n_tokens", pa.int64()),
            pa.field("n_bytes", pa.int64()),
            pa.field("n_windows", pa.int64()),
            pa.field("bits_per_byte", pa.float64()),
        ]
    )


def table(part: Part, scores: "Sequence[TextScore]") -> Any:
    """Join a part's rows with the scores of those that have a text, in their order."""
    pa = require("pyarrow", "lm")
    columns: dict[str, list[Any]] = {name: [] for name in schema().names}
    following = iter(scores)
    for row in part.rows:
        score = None if row.text is None else next(following)
        reason = row.reason
        if score is not None and score.n_tokens == 0:
            score, reason = None, "the tokenizer finds no token"
        columns["source"].append(row.source)
        columns["row"].append(row.row)
        columns["id"].append(row.id)
        columns["reason"].append(reason)
        for name in SCORES:
            columns[name].append(None if score is None else getattr(score, name))
    return pa.table(columns, schema=schema())


def save(table: Any, path: Path) -> None:
    """Write ``table`` durably; ``path`` exists only when it is complete."""
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    with replacing(path, path.with_suffix(".tmp")) as file:
        file.write(sink.getvalue())


def load(path: Path) -> Any | None:
    """Read a part; None where it is absent, or damaged and thus to be scored again."""
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = pq.read_table(pa.BufferReader(data), page_checksum_verification=True, use_threads=False)
    except (pa.ArrowException, OSError):
        return None
    return found if found.schema.equals(schema()) else None
