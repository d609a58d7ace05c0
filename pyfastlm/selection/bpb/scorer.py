"""A scorer that outlives a bad document: what cannot be scored becomes NaN, and why is written down."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pyfastlm.lm.files.lines import json_object
from pyfastlm.lm.scores import TextScore
from pyfastlm.selection.bpb.models import TextScorer

MOST_MESSAGE = 200


class ModelFailed(Exception):
    """A model as a whole is of no use; the message says why."""


class Failure(NamedTuple):
    """A text (its :func:`key`) that cannot be scored, and why."""

    text: int
    error: str


class Guarded:
    """``scorer`` for :func:`pyfastlm.lm.files.score_files`.

    Where it raises an error on some texts, each is scored alone. Those that fail alone get the score NaN in
    0 windows, and ``note`` is told of them before the scores come back.
    """

    def __init__(self, scorer: TextScorer, note: Callable[[list[Failure]], None]) -> None:
        self._scorer, self._note = scorer, note
        try:
            self.fingerprint = str(scorer.fingerprint)
            self.max_length = int(scorer.max_length)
            self.tokens_per_batch = int(scorer.tokens_per_batch)
        except Exception as error:
            raise ModelFailed(f"its scorer is none: {told(error)}") from error

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        """Scores of ``texts``, NaN for those that fail.

        Raises:
            ModelFailed: all of several fail, or what comes back are no scores of these texts.
        """
        if not texts:
            return []
        try:
            return self._checked(texts)
        except (ModelFailed, MemoryError, OSError):
            raise
        except Exception as error:
            return self._one_by_one(texts, error)

    def _one_by_one(self, texts: Sequence[str], first: Exception) -> list[TextScore]:
        scores: list[TextScore] = []
        failed: list[Failure] = []
        for text in texts:
            try:
                scores += self._checked([text])
            except (ModelFailed, MemoryError, OSError):
                raise
            except Exception as error:
                failed.append(Failure(key(text), told(error)))
                scores.append(TextScore(math.nan, 1, len(text.encode()), 0))
        if len(failed) == len(texts) > 1:
            raise ModelFailed(f"it fails on every text: {told(first)}") from first
        if failed:
            self._note(failed)
        return scores

    def _checked(self, texts: Sequence[str]) -> list[TextScore]:
        found = list(self._scorer.rolling(texts))
        if len(found) != len(texts):
            raise ModelFailed(f"it returns {len(found)} scores for {len(texts)} texts")
        scores = []
        for text, score in zip(texts, found, strict=True):
            try:
                plain = TextScore(
                    float(score.logp), int(score.n_tokens), int(score.n_bytes), int(score.n_windows)
                )
            except (AttributeError, TypeError, ValueError) as error:
                raise ModelFailed(f"it returns no TextScore: {told(error)}") from error
            if plain.n_bytes != len(text.encode()):
                raise ModelFailed(f"it counts {plain.n_bytes} bytes in a text of {len(text.encode())}")
            scores.append(plain)
        return scores


def key(text: str) -> int:
    """64 bits that stand for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def write_errors(path: Path, failures: list[Failure]) -> None:
    """Append what :class:`Guarded` tells; it is on the disk when this returns."""
    with open(path, "ab") as file:
        for text, error in failures:
            file.write(json.dumps({"text": text, "error": error}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_errors(path: Path) -> dict[int, str]:
    """What :func:`write_errors` wrote, by the key of the text; a torn last line is left out."""
    found: dict[int, str] = {}
    if path.exists():
        with open(path, "rb") as file:
            for line in file:
                try:
                    entry = json_object(line)
                    found[int(entry["text"])] = str(entry["error"])
                except (ValueError, KeyError, TypeError):
                    continue
    return found


def told(error: BaseException) -> str:
    """An error in one short line."""
    message = " ".join(str(error).split()) or "no message"
    message = message if len(message) <= MOST_MESSAGE else message[:MOST_MESSAGE] + "..."
    return f"{type(error).__name__}: {message}"
