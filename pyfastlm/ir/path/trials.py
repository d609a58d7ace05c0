"""What a training found, and the file that keeps it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.ir.generation.prompts import Example, Prompt
from pyfastlm.ir.path.log import Log
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


def trial_of(fields: dict[str, Any]) -> Trial:
    """A trial out of its line in a log."""
    del fields["gold_ndcg"]
    prompt = fields.pop("prompt")
    examples = tuple(Example(*example) for example in prompt["examples"])
    per_query = tuple(float(value) for value in fields.pop("per_query"))
    return Trial(Prompt(prompt["instruction"], prompt["cue"], examples), per_query=per_query, **fields)


def trial_log(path: StrPath | None) -> Log[Trial]:
    """The log of a search; its lines also have ``gold_ndcg``."""
    return Log(path, trial_of, lambda trial: {"gold_ndcg": trial.gold_ndcg, **asdict(trial)})
