"""Score texts with a causal language model, many at a time."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import windows
from pyfastlm.lm.encoding import Encoder, Tokens, utf8_length
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.packing import Piece
from pyfastlm.lm.prefix import share, whole
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, Runner, context_length
from pyfastlm.lm.scores import PairScore, TextScore, TokenScores
from pyfastlm.lm.windows import Window
from pyfastlm.ops._int8 import native_sum_bits

if TYPE_CHECKING:
    from pyfastlm.lm.files import FilesReport, Progress, RayOptions
    from pyfastlm.lm.files.score import EngineName

Precision: TypeAlias = Literal["model", "int8"]

POLICY = "lm-evaluation-harness/1"  # changes with everything here that changes a score
ENCODED_TOGETHER = 64  # texts, or as many as this has bytes:
ENCODED_BYTES = 1 << 20
SHARED_TOGETHER = 4096  # pairs among which common prefixes are looked for


class Scorer:
    """Exact log-probabilities of texts under a causal LM, equal to those of lm-evaluation-harness.

    Args:
        lm: an :class:`LM`, or anything :func:`load` takes.
        max_length: tokens that the model reads at once; the model's own context by default.
        tokens_per_batch: how many tokens go through the model together. Bounds memory and changes speed, not
            results beyond rounding (1e-6 relative).
        precision: ``"model"``: as the model is; ``"int8"``: its linear layers in 8 bits, on a CPU. Some two
            times faster with AVX-512 VNNI, and off by some tenths of a per cent of a text's bits; look at
            :func:`pyfastlm.lm.compare_precisions` on a sample of your texts first.

    Texts are packed without padding, so a result does not depend on what else is scored with it. Logits are
    not held where the model's last projection is a plain one. A scorer is not thread-safe: it borrows the
    model's attention while it runs.

    Attributes:
        lm, max_length, tokens_per_batch, precision: as above.
        notes: what this model does not allow, and why, e.g. packing; empty for most.

    Raises:
        InputError, InputTypeError: an argument is wrong, or the model is not a causal LM.
    """

    def __init__(
        self,
        lm: LMLike,
        *,
        max_length: int | None = None,
        tokens_per_batch: int = TOKENS_PER_BATCH,
        precision: Precision = "model",
    ) -> None:
        self.lm = as_lm(lm)
        self.max_length = context_length(self.lm, max_length)
        self.tokens_per_batch = tokens_per_batch
        self._encoder = Encoder(self.lm.tokenizer, self.lm.model.get_input_embeddings().weight.shape[0])
        self.precision: Precision = precision
        self._runner = Runner(self.lm, self.max_length, tokens_per_batch, precision)
        self.notes = self._runner.notes

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over the model, the windows and the dtype: equal ones give equal scores."""
        parts = [
            POLICY,
            self.lm.fingerprint,
            self._encoder.prefix,
            self.max_length,
            str(self.lm.model.dtype),
        ]
        if self.precision == "int8":
            parts.append(f"int8/2, sums of {native_sum_bits()} bits")
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def rolling(self, texts: Iterable[str], *, progress: bool = False) -> list[TextScore]:
        """Score whole texts, each token exactly once, in windows of ``max_length``.

        The first token is predicted from the tokenizer's bos (else eos). Equal to the harness's
        ``loglikelihood_rolling``; see :func:`pyfastlm.lm.windows.rolling` for the windows.

        Args:
            texts: any iterable of strings; it is read as it is needed.
            progress: show a bar on standard error.

        Raises:
            InputError: a text is no Unicode (names its index); ``texts`` is a single string.
            InputTypeError: a text is not a string.
        """
        total = len(texts) if isinstance(texts, Sequence) else None
        return [
            TextScore(
                logp=float(logp.sum(dtype=np.float64)),
                n_tokens=len(logp),
                n_bytes=text.n_bytes,
                n_windows=-(-len(logp) // self.max_length),
            )
            for text, logp in watched(self._scored(texts), total, "texts", progress)
        ]

    def token_logp(self, texts: Iterable[str], *, progress: bool = False) -> list[TokenScores]:
        """The same as :meth:`rolling`, token by token, with the place of each token in its text.

        Raises:
            InputError: also where the tokenizer cannot locate its tokens (only fast tokenizers can).
        """
        total = len(texts) if isinstance(texts, Sequence) else None
        return [
            TokenScores(text.tokens.astype(np.int64), logp, self._encoder.spans(text.text, len(logp)))
            for text, logp in watched(self._scored(texts), total, "texts", progress)
        ]

    def conditional(self, pairs: Iterable[tuple[str, str]], *, progress: bool = False) -> list[PairScore]:
        """Score continuations given their contexts; what contexts have in common is read once.

        Equal to the harness's ``loglikelihood``: spaces that end a context belong to the continuation; an
        empty (or blank) context stands for the bos token; a context too long loses its left end.

        Args:
            pairs: (context, continuation) strings; any iterable, read as it is needed.
            progress: show a bar on standard error.

        Raises:
            InputError: a text is no Unicode; a continuation alone is longer than ``max_length``.
            InputTypeError: an element is not a pair of strings.
        """
        total = len(pairs) if isinstance(pairs, Sequence) else None
        return [*watched(self._conditional(pairs), total, "pairs", progress)]

    def score_files(
        self,
        inputs: "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]",
        output: "str | os.PathLike[str]",
        *,
        text_key: str = "text",
        resume: bool = True,
        progress: "bool | Callable[[Progress], None]" = False,
        engine: "EngineName" = "local",
        ray: "RayOptions | None" = None,
    ) -> "FilesReport":
        """Score files into one Parquet table, resumably; see :func:`pyfastlm.lm.files.score_files`."""
        from pyfastlm.lm.files import score_files

        return score_files(
            self,
            inputs,
            output,
            text_key=text_key,
            resume=resume,
            progress=progress,
            engine=engine,
            ray=ray,
        )

    def _scored(self, texts: Iterable[str]) -> "Iterator[tuple[_Text, NDArray[np.float32]]]":
        """Each text with the log-probabilities of its tokens, in order."""
        reading: deque[_Text] = deque()

        def read() -> Iterator[Window]:
            for text in self._encoded(texts):
                reading.append(text)
                yield from windows.rolling(text.tokens, self._encoder.prefix, self.max_length)

        nothing = np.empty(0, np.float32)
        parts: list[NDArray[np.float32]] = []
        missing = 0
        for logp in self._by_window(read()):
            while not parts and not len(reading[0].tokens):
                yield reading.popleft(), nothing
            missing = (missing if parts else len(reading[0].tokens)) - len(logp)
            parts.append(logp)
            if not missing:
                yield reading.popleft(), np.concatenate(parts)
                parts = []
        yield from ((text, nothing) for text in reading)

    def _encoded(self, texts: Iterable[str]) -> "Iterator[_Text]":
        if isinstance(texts, str):
            raise InputTypeError("texts: expected an iterable of strings, got one string; pass [text]")
        chunk: list[str] = []
        lengths: list[int] = []
        for number, text in enumerate(texts):
            lengths.append(utf8_length(text, f"texts[{number}]"))
            chunk.append(text)
            if len(chunk) == ENCODED_TOGETHER or sum(lengths) > ENCODED_BYTES:
                yield from map(_Text, chunk, self._encoder.texts(chunk), lengths)
                chunk, lengths = [], []
        yield from map(_Text, chunk, self._encoder.texts(chunk), lengths)

    def _by_window(self, stream: Iterable[Window]) -> Iterator[NDArray[np.float32]]:
        """Log-probabilities of the targets of each window, in order."""
        lengths: deque[int] = deque()

        def pieces() -> Iterator[Piece]:
            for window in stream:
                lengths.append(len(window.targets))
                yield whole(window, 0)

        for _, logp, _ in self._runner.run(pieces(), greedy=False):
            start = 0
            while start < len(logp):
                stop = start + lengths.popleft()
                yield logp[start:stop]
                start = stop

    def _conditional(self, pairs: Iterable[tuple[str, str]]) -> Iterator[PairScore]:
        numbered = enumerate(pairs)
        while chunk := [*islice(numbered, SHARED_TOGETHER)]:
            for number, pair in chunk:
                if not isinstance(pair, tuple | list) or len(pair) != 2:
                    raise InputTypeError(f"pairs[{number}]: expected (context, continuation), got {pair!r}")
                for part, name in zip(pair, ("context", "continuation"), strict=True):
                    utf8_length(part, f"pairs[{number}], {name}")
            asked = self._windows([pair for _, pair in chunk], chunk[0][0])
            stops = np.cumsum([len(window.targets) for window in asked])
            starts = [0, *stops[:-1].tolist()]
            logp = np.empty(stops[-1], np.float32)
            hit = np.empty(stops[-1], np.bool_)
            for slots, values, hits in self._runner.run(self._pieces(asked, starts), greedy=True):
                logp[slots], hit[slots] = values, hits
            for start, stop in zip(starts, stops, strict=True):
                total = float(logp[start:stop].sum(dtype=np.float64))
                yield PairScore(total, int(stop - start), bool(hit[start:stop].all()))

    def _windows(self, pairs: Sequence[tuple[str, str]], first: int) -> list[Window]:
        encoded = self._encoder.pairs(pairs)
        made = []
        for number, (context, continuation) in enumerate(encoded, first):
            try:
                made.append(windows.conditional(context, continuation, self.max_length))
            except InputError as error:
                raise InputError(f"pairs[{number}]: {error}") from None
        return made

    def _pieces(self, asked: Sequence[Window], starts: Sequence[int]) -> list[Piece]:
        some = [(window, start) for window, start in zip(asked, starts, strict=True) if len(window.targets)]
        if self._runner.shares:
            return share([window for window, _ in some], [start for _, start in some])
        return [whole(window, start) for window, start in some]


class _Text(NamedTuple):
    text: str
    tokens: Tokens
    n_bytes: int
