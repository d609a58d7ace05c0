"""The six laws: what a model loses on the next example after n, and how their numbers are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
LawName = Literal["bayesian", "bayesian_sampling", "bayesian_scoring", "power", "bounded_power", "logistic"]

LAW_NAMES: tuple[LawName, ...] = get_args(LawName)
EYE = 0.5  # added to the identity where the published fit of P begins


@dataclass(frozen=True, slots=True)
class Law:
    """A law with free numbers (any real ones), as the solver takes them.

    Attributes:
        name: as in :data:`LAWS`.
        code: of the solver.
        joint: one fit for all curves of a problem; else one for each.
        formula: the loss after n shots.
    """

    name: LawName
    code: int
    joint: bool
    formula: str

    def likelihoods(self, tasks: int, hypotheses: int) -> int:
        """How many free numbers the likelihoods of a Bayesian law have."""
        if self.name == "bayesian":
            return tasks * hypotheses
        return 2 * (hypotheses if self.name == "bayesian_sampling" else tasks)

    def published(self, tasks: int, hypotheses: int) -> Doubles:
        """Where the published fit begins: of one curve [P], or of priors, K and likelihoods [P]."""
        if self.name == "power":
            return np.array([0.0, 1.0, 0.0])
        if not self.joint:
            return np.ones(4)
        if self.name == "bayesian":
            tail = np.eye(tasks, hypotheses).reshape(-1) + EYE
        else:
            tail = np.repeat([1.0, 0.0], self.likelihoods(tasks, hypotheses) // 2)
        return np.concatenate([np.zeros(hypotheses), [1.0], tail])


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        law.name: law
        for law in (
            Law("bayesian", 3, True, "-log sum_m rho_m P_hm^(K n + 1) / sum_m rho_m P_hm^(K n)"),
            Law("bayesian_sampling", 4, True, "bayesian with P_hm = gamma_m if m = h, else beta_m"),
            Law("bayesian_scoring", 5, True, "bayesian with P_hm = gamma_h if m = h, else beta_h"),
            Law("power", 0, False, "exp(C) n^-alpha + exp(K)"),
            Law("bounded_power", 1, False, "exp(C) (1 + n / exp(n_c))^-alpha + exp(K)"),
            Law("logistic", 2, False, "exp(L) / (1 + (n / exp(x0))^K) + exp(C)"),
        )
    }
)
