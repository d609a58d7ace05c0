"""What trainings found, and the file that keeps it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.generation.prompts import Example, Prompt
from pyfastlm.lm.files.inputs import StrPath


@dataclass(frozen=True)
class Trial:
    """One reranker, trained with the queries of one prompt.

    Attributes:
        prompt: that wrote the queries.
        documents: it wrote for.
        seed: of the training.
        per_query: NDCG@10 of each gold query, in the order of the gold queries.
        examples: that were trained on.
        kept: share of the documents that gave a query.
        copied: mean share of the queries' runs of words that are out of their documents.
        overlap: mean share of the queries' words that are in their documents.
        seconds: of the training and the scoring; not of the writing, which trials share.
    """

    prompt: Prompt
    documents: int
    seed: int
    per_query: tuple[float, ...]
    examples: int
    kept: float
    copied: float
    overlap: float
    seconds: float

    @property
    def gold_ndcg(self) -> float:
        """Mean over the gold queries."""
        return float(np.mean(self.per_query))


def by_query(trials: "list[Trial]") -> NDArray[np.float64]:
    """[gold queries], means over the trials."""
    means: NDArray[np.float64] = np.mean([trial.per_query for trial in trials], axis=0, dtype=np.float64)
    return means


class TrialLog:
    """Trials as lines of JSON, each with the key of what it is of; on the disk as soon as it is there.

    A line that a kill has torn is cut off. The other fields are those of :class:`Trial`, and ``gold_ndcg``.

    Args:
        path: of the file; it is made where it is not there. None keeps trials in memory.

    Raises:
        InputError: it has lines of another kind.
    """

    def __init__(self, path: StrPath | None) -> None:
        self._path = None if path is None else Path(path)
        self._trials: dict[str, Trial] = {}
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def get(self, key: str) -> Trial | None:
        """The trial of a key, if there is one."""
        return self._trials.get(key)

    def put(self, key: str, trial: Trial) -> None:
        """Keep a trial.

        Raises:
            OSError: the file cannot be written.
        """
        self._trials[key] = trial
        if self._path is not None:
            line = json.dumps({"key": key, "gold_ndcg": trial.gold_ndcg, **asdict(trial)}, ensure_ascii=False)
            with open(self._path, "ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _read(self, path: Path) -> None:
        whole = path.read_bytes()
        complete = whole[: whole.rfind(b"\n") + 1]
        for number, line in enumerate(complete.splitlines(), 1):
            try:
                fields = json.loads(line)
                key = fields.pop("key")
                self._trials[key] = _trial(fields)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                raise InputError(
                    f"log: {str(path)!r}, line {number}: not a trial; choose another file"
                ) from None
        if len(complete) < len(whole):
            os.truncate(path, len(complete))


def _trial(fields: dict[str, Any]) -> Trial:
    del fields["gold_ndcg"]
    prompt = fields.pop("prompt")
    examples = tuple(Example(*example) for example in prompt["examples"])
    per_query = tuple(float(value) for value in fields.pop("per_query"))
    return Trial(Prompt(prompt["instruction"], prompt["cue"], examples), per_query=per_query, **fields)
