"""BIRCO: tasks whose queries have several parts, each with a pool of candidates."""

from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.data.files import StrPath, as_path, read_json, shown


def load_birco(path: StrPath) -> Collection:
    """Read ``{"query": {id: text}, "corpus": {id: text}, "qrel": {id: {document: relevance}}}``.

    The documents of a query's judgements are its candidates. Only JSON is read, plain or ``.gz``: the
    pickles that BIRCO's repository holds could run anything, so they are refused.

    Raises:
        InputError: the file cannot be read, is no such JSON, or contradicts itself.
    """
    file = as_path(path)
    if file.name.lower().removesuffix(".gz").endswith((".pkl", ".pickle", ".p")):
        raise InputError(
            f"path: {shown(path)} is a pickle, which is never read: it could run anything; convert it to JSON"
        )
    value = read_json(path)
    parts = ("query", "corpus", "qrel")
    if not isinstance(value, dict) or not all(isinstance(value.get(part), dict) for part in parts):
        raise InputError(f"path: {shown(path)}: expected an object with the objects {', '.join(parts)}")
    fields: dict[str, Any] = {part: value[part] for part in parts}
    name = file.name.removesuffix(".gz").removesuffix(".json")
    try:
        return Collection(name, **fields, pooled=True)
    except InputError as error:
        raise InputError(f"path: {shown(path)}: {error}") from None
