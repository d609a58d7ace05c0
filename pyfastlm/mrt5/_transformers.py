"""What MrT5 takes from transformers: base classes, and what has another name in another version."""

import inspect
from typing import Any

from pyfastlm._require import require

_transformers: Any = require("transformers", "mrt5")

PretrainedConfig: Any = _transformers.PretrainedConfig
PreTrainedModel: Any = _transformers.PreTrainedModel
GenerationMixin: Any = _transformers.GenerationMixin
AutoConfig: Any = _transformers.AutoConfig
AutoModelForSeq2SeqLM: Any = _transformers.AutoModelForSeq2SeqLM
ModelOutput: Any = require("transformers.utils", "mrt5").ModelOutput

_arguments = inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
CACHE = "cache" if "cache" in _arguments else "past_key_values"
"""The name under which ``generate`` hands the cache from step to step."""
