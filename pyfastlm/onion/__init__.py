"""How a recurrent network stores a sequence in one state: the copying task, and edits of the state."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.checkpoints import load_model, save_model
    from pyfastlm.onion.copying import Copier, sequence_loss
    from pyfastlm.onion.model import CopierConfig, GRUCopier
    from pyfastlm.onion.options import TrainingOptions
    from pyfastlm.onion.sequences import Sequences
    from pyfastlm.onion.task import RepeatTask
    from pyfastlm.onion.training import Trained, train

__all__ = [
    "Copier",
    "CopierConfig",
    "GRUCopier",
    "RepeatTask",
    "Sequences",
    "Trained",
    "TrainingOptions",
    "load_model",
    "save_model",
    "sequence_loss",
    "train",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "checkpoints": ("load_model", "save_model"),
        "copying": ("Copier", "sequence_loss"),
        "model": ("CopierConfig", "GRUCopier"),
        "options": ("TrainingOptions",),
        "sequences": ("Sequences",),
        "task": ("RepeatTask",),
        "training": ("Trained", "train"),
    },
)
