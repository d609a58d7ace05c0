"""T5's span corruption on bytes: the task that ByT5 was trained on and MrT5 continues with."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.mrt5.examples import Example
from pyfastlm.mrt5.vocabulary import EOS, FIRST_SENTINEL, OFFSET, utf8

Ids = NDArray[np.int64]


class SpanCorruption:
    """Replaces random spans of a text by sentinels; the labels are the spans, each after its sentinel.

    A window of ``expanded_length`` bytes becomes inputs of exactly ``input_length`` ids and labels of exactly
    ``target_length`` (1193, 1024 and 189 as MrT5 has them), EOS at the end of both. Spans alternate, a kept
    one first and a replaced one last, with uniformly random lengths of fixed sums: with a single span nothing
    is random, so short inputs want short spans. Span i is id 258 - i: up to 11 spans these are bytes that
    UTF-8 never uses; beyond, a text may hold the byte too.

    Args:
        input_length: ids of the encoder's input, EOS included.
        noise_density: fraction of the bytes that is replaced.
        mean_span_length: of a replaced span, in bytes.
        seed: with epoch and number of an example it decides the spans: nothing depends on order or history.

    Raises:
        InputError: a value is out of range, or more than 128 spans would be needed (sentinels in ASCII).

    Source: Raffel et al. (2020), section 3.1.4; ``random_spans_noise_mask`` and ``random_spans_helper`` in
    ``t5/data/preprocessors.py``; sentinels as in ByT5 (Xue et al., 2022).
    """

    def __init__(
        self,
        *,
        input_length: int = 1024,
        noise_density: float = 0.15,
        mean_span_length: float = 20.0,
        seed: int = 0,
    ) -> None:
        if not 0 < noise_density < 1:
            raise InputError(f"noise_density: expected more than 0 and less than 1, got {noise_density}")
        if not 1 <= mean_span_length < float("inf"):
            raise InputError(f"mean_span_length: expected at least 1, got {mean_span_length}")
        if seed < 0:
            raise InputError(f"seed: expected at least 0, got {seed}")
        if input_length < 3:
            raise InputError(
                f"input_length: expected 3 or more (a byte, a sentinel, EOS), got {input_length}"
            )
        self.seed = seed
        self.input_length = input_length
        length = 2
        while self._lengths(length + 1, noise_density, mean_span_length)[0] <= input_length:
            length += 1
        self.expanded_length = length
        found, self.target_length = self._lengths(length, noise_density, mean_span_length)
        if found != input_length:
            raise InputError(
                f"input_length: no number of bytes gives exactly {input_length} ids at noise_density "
                f"{noise_density} and mean_span_length {mean_span_length}; {found} can be had"
            )
        self.n_noise, self.n_spans = _noise(length, noise_density, mean_span_length)
        if self.n_spans > 128:
            raise InputError(
                f"mean_span_length: {self.n_spans} spans in one example need sentinels that are ASCII; "
                "expected at most 128: longer spans, or a shorter input_length"
            )

    @staticmethod
    def _lengths(length: int, density: float, mean: float) -> tuple[int, int]:
        """Ids of inputs and labels that ``length`` bytes give."""
        n_noise, n_spans = _noise(length, density, mean)
        return length - n_noise + n_spans + 1, n_noise + n_spans + 1

    def corrupt(
        self, windows: NDArray[np.integer], epoch: int, indices: Sequence[int] | Ids
    ) -> tuple[Ids, Ids]:
        """Corrupt a batch.

        Args:
            windows: [B, expanded_length] ids.
            epoch: at least 0; another epoch has other spans.
            indices: [B], the number of each example, at least 0.

        Returns:
            ``input_ids`` [B, input_length] and ``labels`` [B, target_length], int64.

        Raises:
            InputError: a shape is wrong.
        """
        windows = np.asarray(windows)
        if windows.ndim != 2 or windows.shape[1] != self.expanded_length:
            raise InputError(
                f"windows: expected [B, {self.expanded_length}], got shape {list(windows.shape)}"
            )
        if len(indices) != len(windows):
            raise InputError(f"indices: expected {len(windows)}, got {len(indices)}")
        starts = self._starts(epoch, indices)
        span = np.cumsum(starts, axis=1, dtype=np.uint8)  # 0 1 2 ...: kept, noise, kept, ...; at most 255
        noise, first = (span & 1).astype(bool), starts.astype(bool)
        first[:, 0] = True
        sentinels = FIRST_SENTINEL - (span >> 1).astype(np.int16)
        marked = np.where(first, sentinels, windows)
        input_ids = np.where(noise, marked, windows)[~noise | first]
        labels = np.where(noise, windows, marked)[noise | first]
        rows = len(windows)
        return _with_eos(input_ids, rows, self.input_length), _with_eos(labels, rows, self.target_length)

    def _starts(self, epoch: int, indices: Sequence[int] | Ids) -> NDArray[np.uint8]:
        """[B, expanded_length]: 1 where a span begins, but for the first of a row."""
        kept, n_inner = self.expanded_length - self.n_noise, self.n_spans - 1
        inner = np.empty((2, len(indices), n_inner), np.int64)
        for row, index in enumerate(indices):
            rng = np.random.default_rng((self.seed, epoch, int(index)))
            inner[0, row] = rng.choice(kept - 1, n_inner, replace=False, shuffle=False)
            inner[1, row] = rng.choice(self.n_noise - 1, n_inner, replace=False, shuffle=False)
        inner.sort(axis=2)  # with 1 added, where a part ends: all divisions are equally likely
        starts = np.zeros((len(indices), self.expanded_length), np.uint8)
        ends_kept = np.pad(inner[0] + 1, ((0, 0), (0, 1)), constant_values=kept)
        ends_noise = inner[1] + 1
        # Noise span i begins where i+1 kept and i noise spans are over, the kept one behind it after as many.
        begins = ends_kept + np.pad(ends_noise, ((0, 0), (1, 0)))
        np.put_along_axis(starts, begins, 1, axis=1)
        np.put_along_axis(starts, ends_kept[:, :-1] + ends_noise, 1, axis=1)
        return starts

    def pack(self, texts: Iterable[str | bytes]) -> NDArray[np.uint16]:
        """Join texts, EOS after each, and cut windows: [N, expanded_length] uint16, no padding.

        Texts are read one by one; what the result needs is all that is held. The rest that fills no window is
        dropped, so N may be 0.
        """
        pieces: list[NDArray[np.uint16]] = []
        rest = np.empty(0, np.uint16)
        for text in texts:
            ids = np.frombuffer(utf8(text), np.uint8).astype(np.uint16) + np.uint16(OFFSET)
            rest = np.concatenate([rest, ids, np.array([EOS], np.uint16)])
            whole = len(rest) - len(rest) % self.expanded_length
            if whole:
                pieces.append(rest[:whole].reshape(-1, self.expanded_length))
                rest = rest[whole:]
        return np.concatenate(pieces) if pieces else np.empty((0, self.expanded_length), np.uint16)

    def data(self, texts: Mapping[str, Iterable[str | bytes]]) -> "CorruptedText":
        """Windows of each language's texts, as data for ``train`` and ``evaluate``.

        A window never mixes languages. Languages are not balanced: give equal amounts of text.

        Raises:
            InputError: a language has too little text for one window.
        """
        packed = {language: self.pack(found) for language, found in texts.items()}
        for language, windows in packed.items():
            if not len(windows):
                size = self.expanded_length
                raise InputError(f"texts: {language!r} has less than one window of {size} bytes")
        if not packed:
            raise InputError("texts: expected at least one language, got none")
        languages = [language for language, windows in packed.items() for _ in windows]
        return CorruptedText(self, np.concatenate(list(packed.values())), languages)


class CorruptedText:
    """Windows of text whose spans are drawn anew in each epoch; made by :meth:`SpanCorruption.data`.

    Attributes:
        windows: [N, expanded_length] ids; any array, also a memory-mapped one.
        languages: N names.
    """

    def __init__(
        self, corruption: SpanCorruption, windows: NDArray[np.integer], languages: Sequence[str]
    ) -> None:
        if len(windows) != len(languages):
            raise InputError(f"languages: expected {len(windows)} as of windows, got {len(languages)}")
        self.corruption = corruption
        self.windows = windows
        self.languages = languages

    def __len__(self) -> int:
        return len(self.windows)

    def examples(self, epoch: int, indices: Sequence[int] | Ids) -> list[Example]:
        """The examples of these numbers; epoch and number decide each."""
        chosen = np.asarray(indices, np.int64)
        input_ids, labels = self.corruption.corrupt(self.windows[chosen], epoch, chosen)
        names = (self.languages[int(index)] for index in chosen)
        return [Example(*row) for row in zip(input_ids, labels, names, strict=True)]


def _noise(length: int, density: float, mean: float) -> tuple[int, int]:
    """Bytes to replace, and in how many spans; T5 rounds half to even, as Python does."""
    n_noise = min(max(round(length * density), 1), length - 1)
    return n_noise, min(max(round(n_noise / mean), 1), n_noise, length - n_noise)


def _with_eos(ids: NDArray[np.integer], rows: int, length: int) -> Ids:
    """[rows, length]: ids of rows, one after the other, and EOS at the end of each."""
    whole = np.full((rows, length), EOS, np.int64)
    whole[:, :-1] = ids.reshape(rows, length - 1)
    return whole
