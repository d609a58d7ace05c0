"""Texts to be measured, from files."""

import os
from collections.abc import Iterator, Sequence

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath, resolve
from pyfastlm.lm.files.readers import Reader
from pyfastlm.memorization.sequences import ORIGINAL, NamedSequence, read_sequences


def read_passages(inputs: StrPath | Sequence[StrPath], text_key: str = "text") -> Iterator[NamedSequence]:
    """Each text of ``inputs``, in order.

    ``.json`` files are those of :func:`pyfastlm.memorization.read_sequences`. Of the others, as in
    ``pyfastlm score`` (``.jsonl``, ``.txt`` with a text a line, ``.parquet``, and ``-``), a text is called by
    its own ``id``, else ``FILE:ROW``.

    Raises:
        InputError: a file is missing or damaged, a row is no text, or two texts have one name.
    """
    seen: set[str] = set()
    for source in resolve(inputs):
        named = source.path.endswith(".json")
        for one in read_sequences(source.path) if named else _rows(source.path, text_key):
            if one.id in seen:
                raise InputError(f"inputs: expected each text to have its own name, got {one.id!r} twice")
            seen.add(one.id)
            yield one


def _rows(path: str, text_key: str) -> Iterator[NamedSequence]:
    sources = resolve(path)
    name = os.path.basename(sources[0].name)
    for row in Reader(sources, text_key):
        key = str(row.row) if row.id is None else row.id
        if row.text is None:
            raise InputError(f"inputs: row {row.row} of {sources[0].name!r}: {row.reason}; correct it")
        yield NamedSequence(f"{name}:{key}" if row.id is None else key, name, key, row.text, ORIGINAL)
