"""The Cranfield collection: 1,400 abstracts on aerodynamics, 225 questions, judged in full."""

import re
from pathlib import Path
from xml.sax.saxutils import unescape

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.data.files import StrPath, as_path, read_text, shown
from pyfastlm.ir.data.trec import read_qrels

DOCUMENTS, TOPICS, JUDGEMENTS = "cran.all.1400.xml", "cran.qry.xml", "cranqrel.trec.txt"
SPACES = re.compile(r"\s+")


def read_cranfield(directory: StrPath) -> Collection:
    """Read ``cran.all.1400.xml``, ``cran.qry.xml`` and ``cranqrel.trec.txt``.

    Topics are numbered 1, 2, ... by their place in the file, as the judgements are; the numbers that the file
    gives them are others. Relevance is made 0 or 1 (above 0). A document is its ``<text>``, which begins with
    the title; two have none, and stay as empty documents. All documents are candidates.

    Nothing but these elements is read: no entities are defined, no other file is opened.

    Raises:
        InputError: a file cannot be read, or has another form.
    """
    home = as_path(directory)
    corpus: dict[str, str] = {}
    for number, element in enumerate(_elements(home / DOCUMENTS, "doc"), 1):
        where = f"directory: {shown(home / DOCUMENTS)}, document {number}"
        key = _one(element, "docno", where)
        if key in corpus:
            raise InputError(f"{where}: the number {key!r} comes twice")
        corpus[key] = _one(element, "text", where)
    query = {
        str(number): _one(element, "title", f"directory: {shown(home / TOPICS)}, topic {number}")
        for number, element in enumerate(_elements(home / TOPICS, "top"), 1)
    }
    judged = read_qrels(home / JUDGEMENTS)
    unknown = judged.keys() - query.keys()
    if unknown:
        raise InputError(
            f"directory: {shown(home / JUDGEMENTS)} judges topic {min(unknown)!r}, but there are "
            f"{len(query)} topics"
        )
    qrel = {
        key: {document: int(relevance > 0) for document, relevance in judged[key].items()}
        for key in query
        if key in judged
    }
    try:
        return Collection("cranfield", {key: query[key] for key in qrel}, corpus, qrel, pooled=False)
    except InputError as error:
        raise InputError(f"directory: {shown(home)}: {error}") from None


def _elements(path: Path, tag: str) -> list[str]:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", read_text(path), re.DOTALL)
    if not found:
        raise InputError(f"directory: {shown(path)}: expected elements <{tag}>, got none")
    return found


def _one(element: str, tag: str, where: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", element, re.DOTALL)
    if len(found) != 1:
        raise InputError(f"{where}: expected one <{tag}>, got {len(found)}")
    return SPACES.sub(" ", unescape(found[0])).strip()
