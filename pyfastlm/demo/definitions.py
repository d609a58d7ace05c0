"""Nouns and what they mean, from WordNet (Debian package wordnet-base): a task of ranking with labels."""

import json
import tempfile
from pathlib import Path

from pyfastlm.demo import debian
from pyfastlm.ir import Collection
from pyfastlm.ir.data import wordnet_glosses

PACKAGE = "wordnet-base"
POOL = 16  # definitions to be ordered for a noun


def nouns(cache: Path) -> Collection:
    """150 nouns; each has its own definitions to be found among its neighbours' and others.

    Kept in ``cache`` after the first time.

    Raises:
        TextsMissing: the package is neither kept nor to be had.
        InputError: it holds something else.
    """
    parts = debian.kept(f"{PACKAGE}-definitions", cache, _made)
    query, corpus, qrel = map(json.loads, parts)
    return Collection("wordnet", query, corpus, qrel, pooled=True)


def _made() -> list[str]:
    """Nouns, definitions and judgements, each as JSON."""
    with tempfile.TemporaryDirectory() as directory:
        for path, data in debian.members(PACKAGE, ".noun"):
            (Path(directory) / Path(path).name).write_bytes(data)
        made = wordnet_glosses(directory, pool=POOL)
    return [json.dumps(part) for part in (made.query, made.corpus, made.qrel)]
