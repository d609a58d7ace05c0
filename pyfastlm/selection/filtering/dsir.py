"""Data selection with importance resampling: Xie et al. (2023), arXiv 2302.03169, on hashed n-grams."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.selection.filtering.baselines import uniform
from pyfastlm.selection.filtering.hashing import BATCH_BYTES, features, sums
from pyfastlm.selection.pages import Pages, sources_of


@dataclass(frozen=True, slots=True, eq=False)
class Dsir:
    """How much likelier a page is among target texts than among raw ones; get one from :meth:`fit`.

    ``log_ratio`` [buckets]: of each hashed word or pair of words. With ``resample`` Gumbel noise, decided by
    text and ``seed``, is added to the log-ratio of a page: the best k are then k pages drawn without
    replacement in proportion to their importance, as in the paper. Without it they are the likeliest.
    """

    log_ratio: NDArray[np.float64] = field(repr=False)
    seed: int
    resample: bool = True

    @classmethod
    def fit(
        cls,
        target: Iterable[str],
        raw: Iterable[str],
        *,
        buckets: int = 10_000,
        seed: int = 0,
        resample: bool = True,
    ) -> "Dsir":
        """Count the words and pairs of ``target`` and ``raw`` texts, each gone through once.

        Args:
            target: texts of what is wanted, such as a benchmark's.
            raw: texts of the corpus, or a sample of it; :func:`read_texts` reads files.
            buckets: that words and pairs share by their hash; the paper's number.
            seed: of hashes and noise.
            resample: add the noise.

        Raises:
            InputError: one of them has no word, or an option is wrong.
        """
        if isinstance(buckets, bool) or not isinstance(buckets, int) or not 1 <= buckets <= 1 << 31:
            raise InputError(f"buckets: expected a whole number from 1 to 2^31, got {buckets!r}")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed: expected a whole number >= 0, got {seed!r}")
        logs = []
        for name, texts in (("target", target), ("raw", raw)):
            counts = np.zeros(buckets, np.int64)
            for held in batches(texts):
                counts += np.bincount(features(held, buckets=buckets, seed=seed).ids, minlength=buckets)
            if not counts.any():
                raise InputError(f"{name}: expected texts with words, got none")
            # One more of each, so that what was not seen is unlikely but not impossible.
            logs.append(np.log((counts + 1) / (counts.sum() + buckets)))
        return cls(logs[0] - logs[1], seed, resample)

    @property
    def reads(self) -> str:
        """Texts."""
        return "text"

    @property
    def fingerprint(self) -> str:
        """Of ratios, seed and noise."""
        digest = hashlib.sha256(self.log_ratio.astype("<f8").tobytes())
        digest.update(f"{self.seed} {self.resample}".encode())
        return digest.hexdigest()[:32]

    def log_importance(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-ratio [n] of the likelihoods of each text, in nats; 0 for one without a word."""
        found = features(texts, buckets=len(self.log_ratio), seed=self.seed)
        return sums(self.log_ratio[found.ids], found.starts)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """What pages are taken by, [n]: the log-ratio, and the noise if it is wanted."""
        found = self.log_importance(texts)
        return found - np.log(-np.log(uniform(texts, self.seed))) if self.resample else found


def read_texts(inputs: StrPath | Sequence[StrPath], *, text_key: str = "text") -> Iterator[str]:
    """The texts of files; rows without one are left out.

    Raises:
        InputError: a file cannot be read.
    """
    for page in Pages(sources_of(inputs), text_key):
        if page.text is not None:
            yield page.text


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Lists of texts of some ``BATCH_BYTES`` characters."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held
