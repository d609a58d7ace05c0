"""Everything that is said about a selection, in one call: what the report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyfastlm.selection.study.correlating import Correlation, correlate
from pyfastlm.selection.study.held_out import Prediction
from pyfastlm.selection.study.options import Options
from pyfastlm.selection.study.prediction import predict_ranks
from pyfastlm.selection.study.preparing import Groups
from pyfastlm.selection.study.selecting import selections
from pyfastlm.selection.study.selection_table import Selection
from pyfastlm.selection.study.stability import Agreement, Influence, compare_estimators, leave_one_family_out


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A selection, and what there is to say for and against it.

    Attributes:
        options: estimator, projection, budget and rules.
        selections: one for each group of benchmarks.
        correlations: of each benchmark with each domain.
        prediction: of the errors on each benchmark by models that were held out.
        influences: of each group, what single families are worth.
        agreements: of each group, how alike the selections of different estimators are.
        permutations: of the tests.
    """

    options: Options
    selections: tuple[Selection, ...]
    correlations: tuple[Correlation, ...]
    prediction: Prediction
    influences: tuple[Influence, ...]
    agreements: tuple[Agreement, ...]
    permutations: int

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "options": asdict(self.options),
            "selections": [one.as_dict() for one in self.selections],
            "correlations": [one.as_dict() for one in self.correlations],
            "prediction": self.prediction.as_dict(),
            "influences": [asdict(one) for one in self.influences],
            "agreements": [
                {
                    "name": one.name,
                    "estimators": list(one.estimators),
                    "shared": one.shared.tolist(),
                    "correlation": one.correlation.tolist(),
                }
                for one in self.agreements
            ],
            "permutations": self.permutations,
        }


def analyse(
    matrix: Any,
    errors: Any,
    options: Options,
    *,
    groups: Groups | None = None,
    tokens: Any = None,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    replicates: int = 200,
    permutations: int = 1000,
    folds: int | None = 5,
    draws: int = 20,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> Analysis:
    """Select, test, predict held-out families and compare.

    Args:
        matrix, errors, groups, tokens, families: as :func:`pyfastlm.selection.select` takes them.
        options: estimator, projection, budget and rules.
        replicates: draws of families for the selection and the correlations, and halves for the prediction.
        permutations: of the errors.
        folds: of the prediction.
        draws: of random selections.
        level: of all intervals.
        seed: of everything.
        progress: show the steps on standard error.

    Raises:
        InputError: an argument is wrong, or there are fewer than two families.
    """
    return Analysis(
        options=options,
        selections=selections(
            matrix, errors, options, "all" if groups is None else groups, tokens=tokens,
            replicates=replicates, families=families, level=level, seed=seed, progress=progress,
        ),
        correlations=correlate(
            matrix, errors, options, replicates=replicates, permutations=permutations, families=families,
            level=level, seed=seed, progress=progress,
        ),
        prediction=predict_ranks(
            matrix, errors, options, folds=folds, draws=draws, replicates=replicates, tokens=tokens,
            families=families, level=level, seed=seed, progress=progress,
        ),
        influences=leave_one_family_out(
            matrix, errors, options, groups=groups, tokens=tokens, families=families, progress=progress
        ),
        agreements=compare_estimators(
            matrix, errors, options, groups=groups, tokens=tokens, progress=progress
        ),
        permutations=permutations,
    )  # fmt: skip
