"""English texts of many kinds from Debian's packages, each kind a domain of whole documents."""

import gzip
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pyfastlm.demo.debian import kept, members, run
from pyfastlm.demo.texts import TextsMissing

QUOTES = ("computers", "cookie", "definitions", "people", "politics", "science", "songs-poems", "work")
DICTIONARIES = ("foldoc", "jargon")
SECTIONS = ("devel", "doc", "javascript", "libs", "net", "perl", "python", "utils")
LINES = 30  # descriptions of packages in a document
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # of offsets in a dictionary
ABOUT = (
    "quotations (package fortunes), the dictionaries FOLDOC and Jargon File (dict-foldoc, GFDL; "
    "dict-jargon, public domain), and one-line descriptions of Debian's packages by section"
)


def domains(cache: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Documents by domain, and why some domains are missing. Kept in ``cache`` after the first time."""
    found: dict[str, list[str]] = {}
    missing: list[str] = []
    sources: dict[str, Callable[[], dict[str, list[str]]]] = {
        "fortunes": quotations,
        **{f"dict-{name}": _entries(name) for name in DICTIONARIES},
        "apt-cache dumpavail": descriptions,
    }
    for source, read in sources.items():
        try:
            found |= by_name(source.replace(" ", "-"), cache, read)
        except TextsMissing as reason:
            missing.append(f"{source}: {reason}")
    return found, missing


def by_name(source: str, cache: Path, read: Callable[[], dict[str, list[str]]]) -> dict[str, list[str]]:
    """Documents of each domain of one source, kept in one file of ``cache``."""

    def flat() -> list[str]:
        return [f"{name}\0{text}" for name, texts in read().items() for text in texts]

    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in kept(source, cache, flat):
        name, _, text = line.partition("\0")
        found[name].append(text)
    return dict(found)


def split(documents: Sequence[str], shares: Mapping[str, float]) -> dict[str, list[str]]:
    """Whole documents into parts that have these shares of the bytes: each goes where most is missing."""
    size = sum(len(text.encode()) for text in documents)
    parts: dict[str, list[str]] = {name: [] for name in shares}
    filled = dict.fromkeys(shares, 0)
    for document in sorted(documents, key=lambda text: -len(text)):
        part = max(shares, key=lambda name: shares[name] * size - filled[name])
        parts[part].append(document)
        filled[part] += len(document.encode())
    return parts


def quotations() -> dict[str, list[str]]:
    """The larger files of ``fortunes``, a quotation a document."""
    files = {Path(name).name: data.decode("utf-8", "replace") for name, data in members("fortunes")}
    return {
        f"fortunes {name}": [text.strip() for text in files[name].split("\n%\n") if text.strip()]
        for name in QUOTES
        if name in files
    }


def dictionary(name: str) -> list[str]:
    """Entries of a package ``dict-NAME``, each once, in the order of the dictionary.

    Raises:
        TextsMissing: it cannot be had or read.
    """
    files = {Path(path).name: data for path, data in members(f"dict-{name}")}
    try:
        whole = gzip.decompress(files[f"{name}.dict.dz"])
        rows = [line.split("\t") for line in files[f"{name}.index"].decode().splitlines()]
        places = {(_number(row[1]), _number(row[2])) for row in rows if not row[0].startswith("00")}
    except (KeyError, IndexError, ValueError, OSError, EOFError) as error:
        raise TextsMissing(f"dict-{name} cannot be read: {error}") from None
    texts = (whole[start : start + size].decode("utf-8", "replace").strip() for start, size in sorted(places))
    return [text for text in texts if text]


def descriptions() -> dict[str, list[str]]:
    """Names of packages with what they are, by section, ``LINES`` packages a document."""
    with tempfile.TemporaryDirectory() as directory:
        listed = run(["apt-cache", "dumpavail"], directory).decode("utf-8", "replace")
    lines: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for section, line in _described(listed):
        lines[section][line] = None
    found: dict[str, list[str]] = {}
    for section in SECTIONS:
        rows = [*lines[section]]
        if rows:
            pages = range(0, len(rows), LINES)
            found[f"packages {section}"] = ["\n".join(rows[start : start + LINES]) for start in pages]
    if not found:
        raise TextsMissing("it lists no packages; run apt-get update")
    return found


def _entries(name: str) -> Callable[[], dict[str, list[str]]]:
    return lambda: {name: dictionary(name)}


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + DIGITS.index(digit)
    return value


def _described(listed: str) -> Iterator[tuple[str, str]]:
    for stanza in listed.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Section|Description(?:-en)?): (.*)$", stanza, re.MULTILINE))
        text = fields.get("Description-en") or fields.get("Description")
        if text and "Package" in fields:
            yield fields.get("Section", ""), f"{fields['Package']}: {text}"
