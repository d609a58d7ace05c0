"""Which tokens may come next under a JSON schema, by llguidance."""

import json
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together.segments import Shaped

# As json.dumps writes it: without this, a model could write spaces until its end.
_LAYOUT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}


class Shapes:
    """Makes shapes for the tokens of one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _known(self) -> Any:
        return require("llguidance.hf", "together").from_tokenizer(self._tokenizer)

    def begin(self, segment: Shaped) -> "Shape":
        """A shape before its first token.

        Raises:
            InputError: the schema is none, or asks for what cannot be followed.
            MissingExtra: llguidance is not installed.
        """
        matcher = require("llguidance", "together").LLMatcher
        try:
            schema = json.loads(segment.schema)
        except (ValueError, RecursionError) as error:
            raise InputError(f"response_format: the schema of {segment.name!r} is no JSON") from error
        closing = f" {json.dumps(segment.closing)}" if segment.closing else ""
        grammar = f"start: value{closing}\nvalue: %json {json.dumps(_LAYOUT | schema)}\n"
        made = matcher(self._known, grammar, log_level=0)
        if made.is_error():
            reason = (made.get_error().splitlines() or ["unknown"])[0]
            raise InputError(f"response_format: the schema of {segment.name!r} cannot be followed: {reason}")
        return Shape(made)


class Shape:
    """A value that is being written."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self, count: int) -> Tensor:
        """[count] bool: which tokens may come next; those beyond the tokenizer's may not."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        mask = torch.zeros(count, dtype=torch.bool)
        known = min(count, len(bits))
        mask[:known] = torch.from_numpy(bits[:known].astype(np.bool_))
        return mask

    def takes(self, token: int) -> bool:
        """Go on by a token that is allowed; whether the value is complete.

        Raises:
            InputError: there is none that is allowed.
        """
        if not self._matcher.consume_token(token):
            raise InputError("response_format: no token can follow under the schema")
        return bool(self._matcher.is_stopped())
