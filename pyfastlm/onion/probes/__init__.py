"""What can be read from a frozen model's last state, and by what kind of reader."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.probes.fitting import FittedProbe, fit_probe
    from pyfastlm.onion.probes.readers import PROBES, GRUProbe, LinearProbe, MLPProbe, PeelingProbe, Probe

__all__ = [
    "PROBES",
    "FittedProbe",
    "GRUProbe",
    "LinearProbe",
    "MLPProbe",
    "PeelingProbe",
    "Probe",
    "fit_probe",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "fitting": ("FittedProbe", "fit_probe"),
        "readers": ("PROBES", "GRUProbe", "LinearProbe", "MLPProbe", "PeelingProbe", "Probe"),
    },
)
