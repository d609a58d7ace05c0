"""A causal LM of transformers as the engine of ``dspy.LM``; useful without DSPy too."""

import contextlib
import hashlib
import json
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.prefix_cache import PrefixCache
from pyfastlm.lm.runner import positive
from pyfastlm.together.answers import Answer, Call, Usage
from pyfastlm.together.batcher import Batcher
from pyfastlm.together.prompts import Message, Prompts
from pyfastlm.together.segments import Choice, Free, Plan
from pyfastlm.together.shapes import Shapes
from pyfastlm.together.weights import Weights
from pyfastlm.together.writer import Tokenizer, Writer

CACHE_TOKENS = 16_384
FREELY: Plan = (Free(),)
_alive: "weakref.WeakValueDictionary[str, HFEngine]" = weakref.WeakValueDictionary()


class Settings(NamedTuple):
    """Of an engine; see there."""

    name: str
    cache_tokens: int
    batch_size: int
    prefill: bool
    per_token: bool
    max_tokens: int
    field_tokens: int | None
    seed: int


class HFEngine:
    """Answers with a model of transformers in this process.

    To be used as ``dspy.LM(engine.model_id, engine=engine, cache=False)``, or by :meth:`answers` and
    :meth:`choose` without DSPy. Calls from several threads are decoded together. Copies are the same engine:
    weights are never copied.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes; its tokenizer needs a
            chat template.
        name: of the base in ids, ``hf/<name>``; what the model was loaded by, if None.
        cache_tokens: how many tokens of prompts keep their keys and values for calls to come; 0 for none.
        batch_size: calls that are decoded together at most.
        prefill: whether to give what DSPy's adapters ask for: headers of fields are forced, and a field with
            a closed set of options is chosen by log-probability. False samples everything.
        per_token: options are compared by the mean log-probability of their tokens, not by the sum.
        max_tokens: that a call may write, where it does not say.
        field_tokens: that each single text of an answer may have, so that one does not use up what the call
            has for all; None for no such limit.
        seed: of drawing at temperatures above 0.

    Attributes:
        settings: as given.
        weights: the base and what was made of it.
        prompts: its chat template.
        tokenizer: text to tokens and back.

    Raises:
        InputError, InputTypeError: a number is out of range, there is no such model, or it has no template.
    """

    def __init__(
        self,
        lm: LMLike = "smollm2",
        *,
        name: str | None = None,
        cache_tokens: int = CACHE_TOKENS,
        batch_size: int = 8,
        prefill: bool = True,
        per_token: bool = False,
        max_tokens: int = 256,
        field_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        if isinstance(cache_tokens, bool) or not isinstance(cache_tokens, int) or cache_tokens < 0:
            raise InputError(f"cache_tokens: expected a whole number >= 0, got {cache_tokens!r}")
        loaded = as_lm(lm)
        short = Path(loaded.name).name if Path(loaded.name).exists() else loaded.name
        self.settings = Settings(
            name or short,
            cache_tokens,
            positive("batch_size", batch_size),
            prefill,
            per_token,
            positive("max_tokens", max_tokens),
            None if field_tokens is None else positive("field_tokens", field_tokens),
            seed,
        )
        self.prompts = Prompts(loaded.tokenizer)
        self.weights = Weights(loaded, self.settings.name)
        self.tokenizer = Tokenizer(loaded.tokenizer, _ends(loaded))
        self._shapes = Shapes(loaded.tokenizer)
        self._cache = PrefixCache(cache_tokens)
        self._batcher = Batcher(self.weights, self._cache, batch_size)
        self._lock = threading.Lock()
        self._usage = Usage()
        self._asked: Counter[bytes] = Counter()
        _alive.setdefault(self._key, self)

    @property
    def model_id(self) -> str:
        """Of the base: ``hf/<name>``."""
        return self.weights.base

    @property
    def supports_response_schema(self) -> bool:
        """What DSPy's adapters ask an engine: whether it can be told the form of its answers."""
        return self.settings.prefill

    @property
    def supported_params(self) -> frozenset[str]:
        """The same, for single settings of a call."""
        forms = {"response_format"} if self.settings.prefill else set()
        return frozenset({"max_tokens", "temperature", "top_p", "stop", "logprobs"} | forms)

    @property
    def usage(self) -> Usage:
        """Of all calls since the engine was made or :meth:`reset_usage`."""
        with self._lock:
            return replace(self._usage, seconds=self._batcher.seconds)

    def reset_usage(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._usage, self._batcher.seconds = Usage(), 0.0

    def call(
        self,
        messages: Sequence[Message | tuple[str, str]],
        *,
        plan: Plan = FREELY,
        model_id: str | None = None,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> Call:
        """What :meth:`answers` takes, of (role, text) messages.

        Args:
            messages: system, user and assistant in turn, the user's last.
            plan: what the answer must look like.
            model_id: which weights; the base's by default.
            max_tokens: that may be written; the engine's by default.
            temperature: 0 for the likeliest each time.
            seed: of drawing. By default the same call draws something else each time it is made, in an order
                that the engine's seed decides.
            options: other fields of :class:`pyfastlm.together.answers.Call`.
        """
        call = Call(
            model_id or self.model_id,
            self.prompts.prompt([Message(*message) for message in messages]),
            plan,
            max_tokens or self.settings.max_tokens,
            self.settings.field_tokens,
            temperature,
            per_token=self.settings.per_token,
            **options,
        )
        return replace(call, seed=self._stream(call, seed))

    def answers(self, calls: Sequence[Call]) -> list[Answer]:
        """Answer some calls, decoded together.

        Raises:
            InputError: weights are not known, or a prompt leaves no room in the model's context.
        """
        writers = []
        for call in calls:
            self.weights.hash(call.model_id)
            writer = Writer(call, self.tokenizer, self.weights.context, self._shapes)
            if len(writer.prompt) >= self.weights.context:
                raise InputError(
                    f"messages: the prompt has {len(writer.prompt):,} tokens, and the model reads "
                    f"{self.weights.context:,} together with the answer"
                )
            writers.append(writer)
        self._batcher.run(writers)
        found = [writer.answer() for writer in writers]
        with self._lock:
            for answer in found:
                self._usage = self._usage.plus(answer)
        return found

    def choose(
        self,
        messages: Sequence[Message | tuple[str, str]],
        options: Sequence[str],
        *,
        model_id: str | None = None,
        per_token: bool = False,
    ) -> NDArray[np.float32]:
        """Log-probabilities [options] of each option as the whole answer, with the token that ends it.

        Args:
            messages: as for :meth:`call`.
            options: different texts.
            model_id: which weights; the base's by default.
            per_token: the mean over the tokens of an option, not the sum: a correction for its length.
        """
        call = replace(
            self.call(messages, plan=(Choice("", tuple(options)),), model_id=model_id), per_token=per_token
        )
        return np.array(self.answers([call])[0].choices[0].scores, np.float32)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """The model for oneself: calls of other threads wait."""
        with self._batcher.exclusive():
            yield

    def complete(self, request: Any) -> Any:
        """Answer a ``dspy.lm15.Request``.

        Raises:
            dspy.lm15.LM15Error: it asks for what cannot be done; never is anything ignored silently.
        """
        from pyfastlm.together import requests

        return requests.complete(self, request)

    def stream(self, request: Any) -> Iterator[Any]:
        """The events of :meth:`complete`."""
        from pyfastlm.together import requests

        return requests.stream(self, request)

    def close(self) -> None:
        """Give up the prefix cache; the engine can still be used."""
        with self.exclusive():
            self._cache.clear()

    def dump_state(self) -> dict[str, Any]:
        """Settings, and where weights were saved; no weights."""
        lm = self.weights.lm
        saved = {model_id: str(path) for model_id, path in self.weights.saved.items()}
        return {"lm": lm.name, "fingerprint": lm.fingerprint, **self.settings._asdict(), "weights": saved}

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> "HFEngine":
        """The engine of a state: the one of this process that has the same, or a new one.

        Raises:
            InputError: the base is another than it was, or weights are not where they were saved.
        """
        settings = dict(state)
        saved = settings.pop("weights", {})
        fingerprint = settings.pop("fingerprint", None)
        engine = _alive.get(json.dumps([fingerprint, {k: v for k, v in settings.items() if k != "lm"}]))
        if engine is None:
            engine = cls(settings.pop("lm"), **settings)
            if engine.weights.lm.fingerprint != fingerprint:
                raise InputError(f"state: {state['lm']!r} is another model than the one that was saved")
        engine.weights.load_all(saved)
        return engine

    @property
    def _key(self) -> str:
        return json.dumps([self.weights.lm.fingerprint, self.settings._asdict()])

    def _stream(self, call: Call, seed: int | None) -> str:
        if call.temperature == 0:
            return ""
        if seed is not None:
            return f"{self.settings.seed} seed {seed}"
        digest = hashlib.blake2b(repr(call).encode(), digest_size=16).digest()
        with self._lock:
            self._asked[digest] += 1
            return f"{self.settings.seed} time {self._asked[digest]}"

    def __copy__(self) -> "HFEngine":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "HFEngine":
        return self

    def __reduce__(self) -> Any:
        return type(self).load_state, (self.dump_state(),)


def _ends(lm: Any) -> list[int]:
    """Tokens that end a text, the tokenizer's first."""
    own = getattr(lm.model.generation_config, "eos_token_id", None)
    found = [lm.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
    ends = list(dict.fromkeys(end for end in found if end is not None))
    if not ends:
        raise InputError("lm: expected a tokenizer with an eos token, which ends an answer")
    return ends
