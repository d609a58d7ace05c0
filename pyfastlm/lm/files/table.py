"""The finished table and its list of rejected rows, put together from the parts in input order."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import parts
from pyfastlm.lm.files.inputs import Source
from pyfastlm.lm.files.job import TEMPORARY, Job

ROW_GROUP_ROWS = 1 << 14
METADATA_KEY = b"pyfastlm.score"


def schema(metadata: dict[str, Any]) -> Any:
    """Columns of the output; ``metadata`` goes into the file's key-value metadata."""
    pa = require("pyarrow", "lm")
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            pa.field("row", pa.int64(), nullable=False),
            pa.field("id", pa.string()),
            pa.field("logp", pa.float64(), nullable=False),
            pa.field("n_tokens", pa.int64(), nullable=False),
            pa.field("n_bytes", pa.int64(), nullable=False),
            pa.field("n_windows", pa.int64(), nullable=False),
            pa.field("bits_per_byte", pa.float64(), nullable=False),
            pa.field("fingerprint", pa.string(), nullable=False),
        ],
        metadata={METADATA_KEY: json.dumps(metadata).encode()},
    )


def rejects_path(output: Path) -> Path:
    """``out.parquet`` has its rejected rows in ``out.rejected.jsonl``."""
    return output.with_name(output.stem + ".rejected.jsonl")


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What :func:`assemble` noted in a finished output; None where ``path`` is not one.

    Raises:
        InputError: ``path`` is there and is something else; an empty file counts as absent.
    """
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return None
    noted = None
    if path.is_file():
        try:
            noted = (pq.read_schema(path).metadata or {}).get(METADATA_KEY)
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
    if noted is None:
        raise InputError(f"output: {str(path)!r} exists and is no table of this kind; remove or rename it")
    found: dict[str, Any] = json.loads(noted)
    return found


def assemble(
    job: Job,
    names: Sequence[str],
    sources: tuple[Source, ...],
    output: Path,
    metadata: dict[str, Any],
    rejected: int,
) -> None:
    """Write output and rejects from the part files ``names`` (in order), each by one atomic rename."""
    rejects = rejects_path(output)
    if rejected:
        with replacing(rejects, job.directory / f"rejected{TEMPORARY}") as file:
            for part in _parts(job, names):
                for row in part.filter(part["reason"].is_valid()).to_pylist():
                    line = {"source": sources[row["source"]].name, "row": row["row"], "id": row["id"]}
                    file.write(json.dumps(line | {"reason": row["reason"]}).encode() + b"\n")
    elif rejects.exists():
        rejects.unlink()
        fsync_directory(rejects.parent)
    with replacing(output, job.directory / f"output{TEMPORARY}") as file:
        _write(file, (_finished(part, sources, metadata) for part in _parts(job, names)), metadata)


def _parts(job: Job, names: Sequence[str]) -> Iterator[Any]:
    for name in names:
        part = parts.load(job.directory / name)
        if part is None:
            raise OSError(f"{job.directory / name} was damaged or removed meanwhile; run again")
        yield part


def _finished(part: Any, sources: tuple[Source, ...], metadata: dict[str, Any]) -> Any:
    pa = require("pyarrow", "lm")
    scored = part.filter(part["reason"].is_null())
    names = pa.array([source.name for source in sources], pa.string())
    columns = {name: scored[name] for name in ("row", "id", *parts.SCORES)}
    columns["source"] = names.take(scored["source"].combine_chunks())
    columns["fingerprint"] = pa.repeat(pa.scalar(metadata["description"]["fingerprint"]), len(scored))
    wanted = schema(metadata)
    return pa.table([columns[name] for name in wanted.names], schema=wanted)


def _write(file: Any, tables: Iterator[Any], metadata: dict[str, Any]) -> None:
    """Stream into row groups of ``ROW_GROUP_ROWS``, so that few rows are held and readers can skip."""
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    writer = pq.ParquetWriter(file, schema(metadata), compression="zstd", write_page_checksum=True)
    try:
        held: list[Any] = []
        for table in tables:
            held.append(table)
            if sum(map(len, held)) >= ROW_GROUP_ROWS:
                writer.write_table(pa.concat_tables(held))
                held = []
        writer.write_table(pa.concat_tables(held) if held else schema(metadata).empty_table())
    except BaseException:
        # Closing writes the footer, which fails again on a full disk; the first error is the one to tell.
        with contextlib.suppress(Exception):
            writer.close()
        raise
    writer.close()
