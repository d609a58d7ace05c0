"""Pictures of a report that single fits do not have: extrapolation, and numbers against fine-tuning."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pyfastlm.icl.comparison import Comparison
from pyfastlm.icl.files.curve_tables import CurveSet
from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.params import Bayesian
from pyfastlm.lm.files.pictures import logarithmic, picture


def extrapolation(found: Comparison, fractions: Sequence[float], path: Path) -> None:
    """Mean errors by the share of shots that was fitted, a line for each law."""
    means = {(mean.law, mean.fraction): mean.nrmse for mean in found.means()}

    with picture(path, (6.0, 3.6), "icl") as figure:
        axes = figure.subplots()
        for law in dict.fromkeys(law for law, _ in means):
            values = [means[law, fraction] for fraction in fractions]
            axes.plot([100 * fraction for fraction in fractions], values, "o-", markersize=3, label=law)
        logarithmic(axes)
        axes.set(xlabel="% of the shots fitted", ylabel="NRMSE on the others")
        axes.legend(fontsize=7)


def amounts(each: CurveSet, fits: Mapping[str, Fit], path: Path) -> None:
    """The prior of each task and the efficiency K of Bayesian laws, by amount of fine-tuning."""
    bayesian = {name: fit.params for name, fit in fits.items() if isinstance(fit.params, Bayesian)}
    places = np.arange(len(each.groups))

    with picture(path, (3.2 * len(bayesian), 4.4), "icl") as figure:
        panels = figure.subplots(2, len(bayesian), squeeze=False, sharex=True)
        for column, (name, params) in enumerate(bayesian.items()):
            top, bottom = panels[:, column]
            for m in range(params.prior.shape[1]):
                label = each.tasks[m] if m < len(each.tasks) else f"another {m}"
                top.plot(places, params.prior[:, m], "o-", markersize=3, label=label)
            top.set_title(name, loc="left", fontsize=9)
            bottom.plot(places, params.efficiency, "o-", markersize=3, color="#444444")
            bottom.set_xticks(places, each.groups)
            bottom.set_xlabel("amount of fine-tuning")
        panels[0, 0].set_ylabel("prior")
        panels[1, 0].set_ylabel("efficiency K")
        panels[0, 0].legend(fontsize=7)
