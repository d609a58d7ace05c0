"""Files of questions, and how free answers are compared."""

import json
import os
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError

LARGEST = 1 << 30  # bytes
ARTICLES = re.compile(r"\b(a|an|the)\b")
NUMBER = re.compile(r"(?:(?<!\w)-)?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")  # "7-3" ends in 3, not in -3
PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad(text: str) -> str:
    """Lower case, without punctuation, articles and spare spaces: the normal form of SQuAD's script."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def last_number(text: str) -> float | None:
    """The last number of a text, without dollar sign and thousands; None where it has none."""
    found = NUMBER.findall(text)
    return float(found[-1].replace("$", "").replace(",", "")) if found else None


def read_text(path: "str | os.PathLike[str]") -> str:
    """A whole file of questions.

    Raises:
        InputError: it cannot be read, is too large, or is not UTF-8.
    """
    file = Path(path)
    try:
        if file.stat().st_size > LARGEST:
            raise InputError(f"path: {str(file)!r} is larger than {LARGEST >> 20} MiB")
        return file.read_text("utf-8")
    except OSError as error:
        raise InputError(f"path: cannot read {str(file)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"path: {str(file)!r} is not UTF-8") from error


def objects(path: "str | os.PathLike[str]") -> Iterator[tuple[int, Any]]:
    """The value of each line that is not empty, with the line's number.

    Raises:
        InputError: as :func:`read_text`, or a line is not JSON.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"path: {str(path)!r}, line {number}: not JSON") from error


def pair(value: Any, where: str) -> tuple[str, str]:
    """Question and answer of an object.

    Raises:
        InputError: one is missing, no text, or empty.
    """
    if isinstance(value, dict):
        question, answer = value.get("question"), value.get("answer")
        if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
            return question, answer
    raise InputError(f"path: {where}: expected an object with the texts 'question' and 'answer'")
