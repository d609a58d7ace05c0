"""What a report says, as tables; how they look is for the writers."""

from collections.abc import Iterator, Sequence

from pyfastlm._markdown import Table
from pyfastlm.icl.comparison import WHOLE, Comparison
from pyfastlm.icl.files.curve_tables import CurveSet


def fits(found: Comparison, given: Sequence[CurveSet]) -> Iterator[Table]:
    """All shots of each set."""
    for place, each in enumerate(given):
        rows = []
        for score in found.scores:
            if (score.set, score.fraction) != (place, WHOLE):
                continue
            fit = score.fit
            rest = (
                [f"{fit.loss:.4g}", f"{fit.aic:.1f}", f"{fit.bic:.1f}", f"{fit.reached}"] if fit else [""] * 4
            )
            doubts = str(len(fit.warnings)) if fit else ""
            errors = [f"{score.nrmse:.4f}", f"{score.nrmse_nll:.4f}"]
            rows.append([score.law, str(score.n_params), *errors, *rest, doubts])
        yield Table(
            f"{each.name}: {each.nll.size // len(each.shots)} curves of {len(each.shots)} shots",
            ["law", "parameters", "NRMSE", "in nats", "loss", "AIC", "BIC", "agree", "doubts"],
            rows,
            "NRMSE: root mean square error of probabilities over their mean; in nats: of losses. AIC and "
            "BIC: by the Gaussian likelihood of the residuals, as the loss has them. agree: starts that came "
            "within a thousandth of the best loss.",
        )


def extrapolation(found: Comparison, fractions: Sequence[float]) -> Table:
    """Errors behind what was fitted, over sets."""
    means = {(mean.law, mean.fraction): mean for mean in found.means()}
    laws = list(dict.fromkeys(mean.law for mean in means.values()))
    rows = []
    for law in laws:
        cells = [means[law, fraction] for fraction in fractions]
        shown = [f"{c.nrmse:.4f} ({c.low:.4f} to {c.high:.4f})" for c in cells]
        rows.append([law, str(cells[0].n_params), *shown])
    return Table(
        "Going on from the beginning",
        ["law", "parameters", *(f"{fraction:.0%}" for fraction in fractions)],
        rows,
        "NRMSE on the shots behind the first 5, 10, ... % that were fitted: means over sets, and their 95 % "
        "intervals by bootstrap over sets; of one set, these are of no width.",
    )


def differences(found: Comparison, fractions: Sequence[float]) -> Table:
    """Each law beside the power law, on the same sets."""
    laws = [law for law in dict.fromkeys(score.law for score in found.scores) if law != "power"]
    rows = []
    for fraction in (WHOLE, *fractions):
        for law in laws:
            d = found.difference(law, "power", fraction)
            rows.append(
                [
                    law,
                    "all" if fraction == WHOLE else f"{fraction:.0%}",
                    f"{d.mean:+.4f}",
                    f"{d.low:+.4f} to {d.high:+.4f}",
                    f"{d.p:.2g}",
                    f"{d.better} of {d.sets}",
                ]
            )
    return Table(
        "Beside the power law",
        ["law", "fitted", "NRMSE less the power law's", "95 %", "p", "better"],
        rows,
        "Paired over sets; intervals by bootstrap, p of the paired t-test, not corrected for many laws.",
    )


def doubts(found: Comparison, given: Sequence[CurveSet]) -> list[str]:
    """What fits to all shots warn of."""
    return [
        f"{given[score.set].name}, {score.law}: {said}"
        for score in found.scores
        if score.fit and score.fraction == WHOLE
        for said in score.fit.warnings
    ]
