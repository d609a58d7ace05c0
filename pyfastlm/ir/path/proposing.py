"""Prompts that a language model proposes: DSPy's optimisers, and the reranker that a prompt trains."""

from collections.abc import Sequence
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.held_out import Leak
from pyfastlm.ir.path.log import Log
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.trials import Trial, by_query, trial_log
from pyfastlm.lm.files.inputs import StrPath

EXTRA = "together"


class PromptScores:
    """Scores of prompts on the gold queries, each trained once.

    Args:
        objective: trains and scores.
        documents: that each prompt writes for.
        seeds: of the trainings.
        log: a file for trials, as of :func:`pyfastlm.ir.optimize_prompt`.

    Attributes:
        refused: prompts that quoted something held out, or were empty; they count 0.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        documents: int,
        seeds: Sequence[int] = (0, 1),
        log: StrPath | None = None,
    ) -> None:
        self._objective, self._documents, self._seeds = objective, documents, tuple(seeds)
        self._log: Log[Trial] = trial_log(log)
        self.queries = tuple(objective.gold.query)
        self.refused: list[tuple[str, str]] = []

    def __deepcopy__(self, memory: object) -> "PromptScores":
        """Itself: optimisers copy programs, not what their programs are measured by."""
        return self

    def of(self, instruction: str, cue: str) -> dict[str, float]:
        """NDCG@10 of each gold query by its id, meaned over seeds.

        Raises:
            InputError: there are too few documents.
        """
        try:
            prompt = Prompt(instruction, cue)
            self._objective.held_out.check_prompt(prompt)
        except (Leak, InputError):
            if (instruction, cue) not in self.refused:
                self.refused.append((instruction, cue))
            return dict.fromkeys(self.queries, 0.0)
        trials = []
        for seed in self._seeds:
            key = self._objective.key(prompt, self._documents, seed)
            trial = self._log.get(key)
            if trial is None:
                trial, _ = self._objective.trial(prompt, self._documents, seed)
                self._log.put(key, trial)
            trials.append(trial)
        return dict(zip(self.queries, by_query(trials).tolist(), strict=True))


def prompt_program(scores: PromptScores, prompt: Prompt) -> Any:
    """A DSPy program with one predictor, whose instructions and last prefix are the prompt.

    ``dspy.COPRO(prompt_model=lm, metric=program.metric, breadth=4, depth=2).compile(program,
    trainset=program.rows, eval_kwargs={"num_threads": 1})`` then searches as PATH does, and the ``prompt`` of
    what it returns is the best. The model that proposes is DSPy's; the one that writes queries is the
    generator's. The program never calls a model: for a gold query it gives that query's NDCG@10.

    Raises:
        MissingExtra: dspy is not installed.
    """
    dspy = require("dspy", EXTRA)

    class PromptProgram(dspy.Module):  # type: ignore[misc, name-defined]
        """Stands for a prompt."""

        def __init__(self) -> None:
            super().__init__()
            self.scores = scores
            fields = {"document": (str, dspy.InputField()), "query": (str, dspy.OutputField())}
            signature = dspy.Signature(fields, prompt.instruction)
            self.write = dspy.Predict(signature.with_updated_fields("query", prefix=prompt.cue))

        @property
        def prompt(self) -> Prompt:
            """As it is now."""
            return Prompt(*self._said())

        @property
        def rows(self) -> list[Any]:
            """An example for each gold query."""
            return [dspy.Example(gold=name).with_inputs("gold") for name in self.scores.queries]

        def forward(self, gold: str) -> Any:
            """The score of a gold query."""
            return dspy.Prediction(ndcg=self.scores.of(*self._said())[gold])

        def _said(self) -> tuple[str, str]:
            signature = self.write.signature
            more = signature.fields["query"].json_schema_extra
            return signature.instructions, more.get("prefix", prompt.cue)

        @staticmethod
        def metric(example: Any, prediction: Any, trace: object = None) -> float:
            """That score, for the optimiser."""
            return float(prediction.ndcg)

    return PromptProgram()
