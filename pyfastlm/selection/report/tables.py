"""What the report says, as titles, sentences and tables; how it looks is for the writers."""

from collections.abc import Iterator

import numpy as np

from pyfastlm._markdown import Table
from pyfastlm.selection.study.analysis import Analysis
from pyfastlm.selection.study.correlating import Correlation
from pyfastlm.selection.study.held_out import BASELINE, SELECTED, HeldOut
from pyfastlm.selection.study.joining import LeftOut
from pyfastlm.selection.study.names import number, shown
from pyfastlm.selection.study.selection_table import Selection

SHOWN = 30  # domains and families in a table
SURE = 0.05


def lead(analysis: Analysis) -> str:
    """One paragraph: what was selected from what, by whom."""
    one = analysis.selections[0]
    models, families = len(one.basis.models), len(set(one.basis.families))
    return (
        f"{models:,} language models of {families:,} families, {len(one.domains):,} domains, "
        f"{len(analysis.correlations):,} benchmarks. Domains where the models' bits per byte go with their "
        f"errors ({one.basis.estimator}), within {one.basis.budget:,} of {one.tokens.sum():,.0f} tokens."
    )


def of_selection(one: Selection) -> Table:
    """The domains of a selection."""
    basis = one.basis
    note = f"For {', '.join(basis.benchmarks)}."
    if len(basis.benchmarks) > 1 and basis.projection == "linear":
        note += " The estimate is the mean of the ranks for each, from -1 to 1."
    if basis.replicates:
        note += (
            f" {100 * basis.level:g} %: percentiles over {basis.replicates:,} draws of families; frequency: "
            f"share of draws that select the domain. A draw's selection has {basis.stability:.0%} of the "
            f"budget in common with this one, two draws' {basis.agreement:.0%}, two random ones' "
            f"{one.chance():.0%}."
        )
    return Table(one.title(), one.columns(), one.cells(SHOWN), note + _more(len(one.domains)))


def of_correlation(one: Correlation) -> Table:
    """The domains of a benchmark."""
    test = one.significance
    note = "partial: rank correlation given each model's mean bits per byte. "
    if test is None:
        note += one.remark or "No permutations."
    else:
        note += (
            f"{(test.family_wise <= SURE).sum():,} of {len(one.domains):,} domains have a family-wise p of "
            f"{SURE} or less, {(test.q <= SURE).sum():,} a q; one-sided, {test.permutations:,} permutations "
            "of errors over families; corrected for many domains, not for many benchmarks."
        )
    title = f"{shown(one.benchmark)}: {len(one.models):,} models of {len(set(one.families)):,} families"
    return Table(title, one.columns(), one.cells(SHOWN), note + _more(len(one.domains)))


def of_prediction(analysis: Analysis) -> Table:
    """Ways to predict held-out models."""
    prediction = analysis.prediction
    folds = sorted({benchmark.folds for benchmark in prediction.benchmarks})
    note = (
        "rho: Spearman's correlation of errors with the mean bits per byte on domains that were selected "
        f"without the model and its family, in {' or '.join(map(str, folds))} folds of families. {BASELINE}: "
        "no selection, which is what better models do alike on everything. gain: against that. Intervals: "
        f"all of it done anew with {prediction.replicates:,} random halves of the families; of random "
        f"selections: {prediction.draws} draws. pairs: of models in a fold, ordered rightly; chance is 0.5."
    )
    return Table("Held-out families", prediction.columns(), prediction.cells(), note)


def verdict(one: HeldOut) -> str:
    """One sentence on a benchmark, whichever way it falls."""
    selected, base = one.way(SELECTED), one.way(BASELINE)
    if selected.gain_low > 0:
        said = "ranks held-out models better than"
    elif selected.gain_high < 0:
        said = "ranks held-out models worse than"
    elif np.isnan(selected.gain_low):
        said = "has no interval beside that of"
    else:
        said = "cannot be told apart from"
    return (
        f"{shown(one.name)}: the selection {said} all domains "
        f"({selected.spearman:.2f} and {base.spearman:.2f}); it is above {one.above_random:.0%} of random "
        f"selections; two folds' have {one.shared:.0%} of the budget in common."
    )


def of_stability(analysis: Analysis) -> Iterator[Table]:
    """What single families and estimators are worth."""
    for influence in analysis.influences:
        rows = [
            [one.family, f"{one.models}", number(one.shared, ".0%"), number(one.correlation, ".3f")]
            for one in influence.families[:SHOWN]
        ]
        yield Table(
            f"{influence.name}: without a family",
            ["without", "models", "in common", "rank correlation"],
            rows,
            "Share of the budget in common with the selection of all models; the most influential first."
            + _more(len(influence.families)),
        )
    for agreement in analysis.agreements:
        rows = [
            [name, *(f"{value:.0%}" for value in values)]
            for name, values in zip(agreement.estimators, agreement.shared, strict=True)
        ]
        yield Table(
            f"{agreement.name}: by estimator",
            ["estimator", *agreement.estimators],
            rows,
            "Share of the budget that two estimators select in common.",
        )


def left_out(analysis: Analysis) -> list[LeftOut]:
    """Models that do not count somewhere, each reason once."""
    found = [one for correlation in analysis.correlations for one in correlation.left_out]
    return list(dict.fromkeys(found))


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """How it was made."""
    options, basis = analysis.options, analysis.selections[0].basis
    return [
        ("estimator", f"{options.estimator}, ties: {options.ties}"),
        ("projection", f"{options.projection}, a text at most {options.repeats:g} times"),
        ("missing numbers", options.missing),
        ("equal models", options.duplicates),
        ("replicates", f"{basis.replicates:,} of families"),
        ("permutations", f"{analysis.permutations:,}"),
        ("seed", f"{basis.seed}"),
        ("benchmarks", ", ".join(one.benchmark for one in analysis.correlations)),
        ("families", ", ".join(np.unique(basis.families).tolist())),
    ]


def _more(count: int) -> str:
    return f" The first {SHOWN} of {count:,}." if count > SHOWN else ""
