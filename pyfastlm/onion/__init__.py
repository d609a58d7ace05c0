"""How a recurrent network stores a sequence in one state: the copying task, and edits of the state."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.checkpoints import load_model, save_model
    from pyfastlm.onion.copying import Copier, sequence_loss
    from pyfastlm.onion.evaluation import Report, evaluate
    from pyfastlm.onion.model import CopierConfig, GRUCopier
    from pyfastlm.onion.scoring import Share
    from pyfastlm.onion.sequences import Sequences
    from pyfastlm.onion.tallying import Scores
    from pyfastlm.onion.task import RepeatTask

__all__ = [
    "Copier",
    "CopierConfig",
    "GRUCopier",
    "RepeatTask",
    "Report",
    "Scores",
    "Sequences",
    "Share",
    "evaluate",
    "load_model",
    "save_model",
    "sequence_loss",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "checkpoints": ("load_model", "save_model"),
        "copying": ("Copier", "sequence_loss"),
        "evaluation": ("Report", "evaluate"),
        "model": ("CopierConfig", "GRUCopier"),
        "scoring": ("Share",),
        "sequences": ("Sequences",),
        "tallying": ("Scores",),
        "task": ("RepeatTask",),
    },
)
