"""How to estimate and to project, and checks of numbers that many functions here take."""

from dataclasses import dataclass
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import FORMS, Ties
from pyfastlm.selection.inputs import Missing
from pyfastlm.selection.study.partial import PARTIAL
from pyfastlm.selection.study.rules import DuplicateRule, MissingRule, check_rules
from pyfastlm.selection.study.scores import ProjectionName

ESTIMATORS = (*FORMS, PARTIAL)


@dataclass(frozen=True, slots=True)
class Options:
    """How to estimate and to project; see :func:`pyfastlm.selection.select`."""

    estimator: str = "spearmanr"
    projection: ProjectionName = "linear"
    keep: float | None = None
    budget: int | None = None
    repeats: float = 1.0
    missing: MissingRule = "raise"
    least: int | None = None
    duplicates: DuplicateRule = "raise"
    ties: Ties = "average"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise InputError(f"estimator: expected one of {', '.join(ESTIMATORS)}, got {self.estimator!r}")
        check_rules(self.missing, self.duplicates)
        if self.least is not None:
            check_whole(2, least=self.least)
        inputs.check_options(self.ties, self.masking, self.threads)

    @property
    def masking(self) -> Missing:
        """What the estimators do with NaN: they see some only where the rule lets them."""
        return "mask" if self.missing in ("drop_domains", "mask") else "raise"


def check_whole(least: int, /, **values: Any) -> None:
    """Refuse what is no whole number of ``least`` or more.

    Raises:
        InputError: names the argument.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name}: expected a whole number >= {least}, got {value!r}")


def check_level(level: float) -> None:
    """Refuse what is no level of an interval.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
