"""A folder with the report on curves: Markdown, and the pictures that it shows."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pyfastlm._durable import replacing
from pyfastlm._markdown import plain, written
from pyfastlm.errors import InputError
from pyfastlm.icl.comparison import FRACTIONS, WHOLE, Comparison, compare
from pyfastlm.icl.files.curve_tables import CurveSet
from pyfastlm.icl.files.pictures import draw
from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.laws import LAW_NAMES, LawName
from pyfastlm.icl.params import Bayesian
from pyfastlm.icl.problem import Loss
from pyfastlm.icl.report import pictures, tables

MOST_PICTURES = 12  # sets whose curves are drawn


class Report(NamedTuple):
    """What was written: the page, what it says, and the shares of shots that could be fitted."""

    path: Path
    comparison: Comparison
    fractions: tuple[float, ...]


def write_report(
    given: Sequence[CurveSet],
    folder: "str | os.PathLike[str]",
    *,
    laws: Sequence[LawName] = LAW_NAMES,
    starts: int = 8,
    loss: Loss = "mse_prob",
    seed: int = 0,
    threads: int | None = None,
) -> Report:
    """Fit laws to sets of curves and write ``report.md`` with its pictures (SVG) into ``folder``.

    Laws are fitted to all shots, and to the first 5, 10, 20 and 50 % wherever every set has a shot that early
    and one later. The folder is made if it does not exist; files of these names are replaced.

    Raises:
        InputError: as :func:`pyfastlm.icl.compare`; or ``folder`` is a file.
        MissingExtra: matplotlib or numba is not installed.
        OSError: it cannot be written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"folder: {os.fspath(folder)!r} is no directory")
    if not given:
        raise InputError("given: expected at least one set of curves, got none")
    shares = tuple(f for f in FRACTIONS if f < WHOLE and all(_divides(each, f) for each in given))
    found = compare(
        [(each.shots, each.nll) for each in given],
        laws=laws,
        fractions=(WHOLE, *shares),
        starts=starts,
        loss=loss,
        seed=seed,
        threads=threads,
    )
    target.mkdir(parents=True, exist_ok=True)
    parts = ["# Laws of in-context learning", "## Fits to all shots"]
    for place, (each, table) in enumerate(zip(given, tables.fits(found, given), strict=True)):
        parts.append(written(table))
        if place < MOST_PICTURES:
            parts += _drawn(each, found, place, target)
    if shares:
        parts += ["## Extrapolation", written(tables.extrapolation(found, shares))]
        pictures.extrapolation(found, shares, target / "extrapolation.svg")
        parts.append("![Errors by the share of shots fitted](extrapolation.svg)")
    if "power" in laws and len(laws) > 1 and len(given) > 1:
        parts += ["## Differences", written(tables.differences(found, shares))]
    if said := tables.doubts(found, given):
        parts += ["## Doubts", "\n".join(f"- {plain(one)}" for one in said)]
    path = target / "report.md"
    with replacing(path, target / f".report.md.{os.getpid()}") as file:
        file.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))
    return Report(path, found, shares)


def _divides(each: CurveSet, fraction: float) -> bool:
    seen = each.shots <= fraction * each.shots.max()
    return bool(seen.any() and not seen.all())


def _drawn(each: CurveSet, found: Comparison, place: int, target: Path) -> list[str]:
    """Links to the pictures of a set."""
    fits: dict[str, Fit] = {
        s.law: s.fit for s in found.scores if (s.set, s.fraction) == (place, WHOLE) and s.fit
    }
    names = [f"{group} {task}".strip() for group in each.groups or ("",) for task in each.tasks]
    name = f"curves-{place + 1}.svg"
    draw(each.shots, each.nll.reshape(-1, len(each.shots)), names, fits, target / name)
    links = [f"![Curves and fits]({name})"]
    if each.groups and any(isinstance(fit.params, Bayesian) for fit in fits.values()):
        name = f"amounts-{place + 1}.svg"
        pictures.amounts(each, fits, target / name)
        links.append(f"![Prior and efficiency by amount of fine-tuning]({name})")
    return links
