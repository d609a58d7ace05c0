"""The numbers of a training run: checked before any work, and compared when a run goes on."""

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

from pyfastlm.errors import InputError
from pyfastlm.mrt5.controller import DeletionController
from pyfastlm.mrt5.examples import Data
from pyfastlm.mrt5.kinds import LEARNED
from pyfastlm.mrt5.regularizers import Kind

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

# Where a model came from and what wrote it, and what no training step looks at.
_ORIGIN = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")
# They change what is written and when, not what is learned.
_FREE = ("log_every", "save_every")
SAMPLED = 16  # examples that tell other data from these


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Arguments of :func:`pyfastlm.mrt5.training.train`, which explains them."""

    steps: int
    batch_size: int
    accumulate: int
    lr: float
    regularizer: Kind
    hard_delete_probability: float
    seed: int
    log_every: int
    save_every: int

    def check(
        self, model: "MrT5ForConditionalGeneration", data: Data, controller: DeletionController | None
    ) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: names the argument.
        """
        for name in ("steps", "batch_size", "accumulate", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr: expected a finite number above 0, got {self.lr}")
        if self.regularizer not in get_args(Kind):
            raise InputError(
                f"regularizer: expected one of {', '.join(get_args(Kind))}, got {self.regularizer!r}"
            )
        if not 0 <= self.hard_delete_probability <= 1:
            raise InputError(
                f"hard_delete_probability: expected from 0 to 1, got {self.hard_delete_probability}"
            )
        if self.seed < 0:
            raise InputError(f"seed: expected at least 0, got {self.seed}")
        if not len(data):
            raise InputError("data: expected at least one example, got none")
        kind = model.config.deletion_type
        if controller is not None and kind not in LEARNED:
            raise InputError(
                f"controller: the model's deletion_type is {kind!r}, and only a gate that learns "
                f"({', '.join(LEARNED)}) can be controlled; give controller=None"
            )


def settings(
    options: TrainOptions,
    model: "MrT5ForConditionalGeneration",
    data: Data,
    controller: DeletionController | None,
) -> dict[str, Any]:
    """All that decides the weights at the end, but for those at the start; flat, so that a message can name
    the one that differs."""
    import pyfastlm

    found = {name: value for name, value in asdict(options).items() if name not in _FREE}
    found["controller"] = controller is not None
    if controller is not None:
        found |= {f"controller.{name}": value for name, value in controller.settings.items()}
        found |= {f"controller.{name}": value for name, value in controller.state_dict().items()}
    config = model.config.to_dict()
    found |= {f"model.{name}": config[name] for name in sorted(config) if name not in _ORIGIN}
    return found | {"data": _digest(data), "pyfastlm": pyfastlm.__version__}


def _digest(data: Data) -> str:
    """Number of examples, and a hash of a few from beginning to end."""
    count = len(data)
    some = sorted({index * (count - 1) // (SAMPLED - 1) for index in range(SAMPLED)})
    whole = hashlib.blake2b(digest_size=8)
    for example in data.examples(0, some):
        for ids in (example.input_ids, example.labels):
            whole.update(len(ids).to_bytes(8, "little"))
            whole.update(ids.astype("<i8").tobytes())
        whole.update(example.language.encode(errors="surrogatepass") + b"\0")
    return f"{count} examples {whole.hexdigest()}"
