"""How a recurrent network stores a sequence in one state: the copying task, and edits of the state."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.checkpoints import load_model, save_model
    from pyfastlm.onion.copying import Copier, sequence_loss
    from pyfastlm.onion.model import CopierConfig, GRUCopier
    from pyfastlm.onion.sequences import Sequences
    from pyfastlm.onion.task import RepeatTask

__all__ = [
    "Copier",
    "CopierConfig",
    "GRUCopier",
    "RepeatTask",
    "Sequences",
    "load_model",
    "save_model",
    "sequence_loss",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "checkpoints": ("load_model", "save_model"),
        "copying": ("Copier", "sequence_loss"),
        "model": ("CopierConfig", "GRUCopier"),
        "sequences": ("Sequences",),
        "task": ("RepeatTask",),
    },
)
