"""BEIR's directories: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv``."""

from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.data.files import StrPath, as_path, read_lines, read_objects, shown
from pyfastlm.ir.data.trec import whole

HEADER = ["query-id", "corpus-id", "score"]


def read_beir(directory: StrPath, split: str = "test") -> Collection:
    """Read a task in BEIR's form; all documents are candidates.

    A document is its title, if it has one, and its text. Queries that the split does not judge are left out.
    A judgement of a document or a query that is not there is an error, as a part of a download is easily
    taken for the whole.

    Raises:
        InputError: a file cannot be read, has another form, or contradicts the others.
    """
    home = as_path(directory)
    corpus = _texts(home / "corpus.jsonl")
    queries = _texts(home / "queries.jsonl")
    qrel: dict[str, dict[str, int]] = {}
    path = home / "qrels" / f"{split}.tsv"
    for number, (where, line) in enumerate(read_lines(path)):
        fields = line.rstrip("\r").split("\t")
        if number == 0:
            if fields != HEADER:
                raise InputError(f"{where}: expected the header {' '.join(HEADER)}, separated by tabs")
            continue
        if len(fields) != 3:
            raise InputError(f"{where}: expected 3 fields, separated by tabs, got {len(fields)}")
        judged = qrel.setdefault(fields[0], {})
        if fields[1] in judged:
            raise InputError(f"{where}: query {fields[0]!r} judges document {fields[1]!r} twice")
        judged[fields[1]] = whole(fields[2], where)
    missing = qrel.keys() - queries.keys()
    if missing:
        raise InputError(f"path: {shown(path)} judges query {min(missing)!r}, which is not in queries.jsonl")
    name = f"{home.resolve().name} {split}"
    try:
        return Collection(name, {key: queries[key] for key in qrel}, corpus, qrel, pooled=False)
    except InputError as error:
        raise InputError(f"directory: {shown(home)}: {error}") from None


def _texts(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for where, value in read_objects(path):
        key, title, text = value.get("_id"), value.get("title"), value.get("text")
        if not isinstance(key, str) or not isinstance(text, str) or not _optional(title):
            raise InputError(f"{where}: expected an object with the texts '_id', 'text' and perhaps 'title'")
        if key in found:
            raise InputError(f"{where}: the id {key!r} comes twice")
        found[key] = f"{title}\n{text}".strip() if title else text
    return found


def _optional(title: Any) -> bool:
    return title is None or isinstance(title, str)
