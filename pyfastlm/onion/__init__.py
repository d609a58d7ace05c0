"""How a recurrent network stores a sequence in one state: the copying task, and edits of the state."""

import importlib
from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion import controls, interventions, probes, vecsum
    from pyfastlm.onion.checkpoints import load_model, save_model
    from pyfastlm.onion.copying import Copier, sequence_loss
    from pyfastlm.onion.evaluation import Report, evaluate
    from pyfastlm.onion.gates import Gates, update_gates
    from pyfastlm.onion.model import CopierConfig, GRUCopier
    from pyfastlm.onion.options import TrainingOptions
    from pyfastlm.onion.scoring import Share
    from pyfastlm.onion.sequences import Sequences
    from pyfastlm.onion.tallying import Scores
    from pyfastlm.onion.task import RepeatTask
    from pyfastlm.onion.training import Trained, train

__all__ = [
    "Copier",
    "CopierConfig",
    "GRUCopier",
    "Gates",
    "RepeatTask",
    "Report",
    "Scores",
    "Sequences",
    "Share",
    "Trained",
    "TrainingOptions",
    "controls",
    "evaluate",
    "interventions",
    "load_model",
    "probes",
    "save_model",
    "sequence_loss",
    "train",
    "update_gates",
    "vecsum",
]

_ROOMS = ("controls", "interventions", "probes", "vecsum")

_find, _names = lazily(
    __name__,
    {
        "checkpoints": ("load_model", "save_model"),
        "copying": ("Copier", "sequence_loss"),
        "evaluation": ("Report", "evaluate"),
        "gates": ("Gates", "update_gates"),
        "model": ("CopierConfig", "GRUCopier"),
        "scoring": ("Share",),
        "options": ("TrainingOptions",),
        "sequences": ("Sequences",),
        "tallying": ("Scores",),
        "task": ("RepeatTask",),
        "training": ("Trained", "train"),
    },
)


def __getattr__(name: str) -> object:
    return importlib.import_module(f"{__name__}.{name}") if name in _ROOMS else _find(name)


def __dir__() -> list[str]:
    return sorted([*_names(), *_ROOMS])
