"""Byte n-gram models against an implementation with dictionaries, one n-gram at a time."""

import math
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files import score_files
from pyfastlm.lm.ngram import NgramModel, counting, file
from pyfastlm.lm.ngram.kneser_ney import FALLBACK

TEXTS = ["abracadabra", "the cat sat on the mat", "", "a", "naïve café", "the cat, the hat and the bat"]
Gram = tuple[Any, ...]


class Obvious:
    """The same model by the book: dictionaries from tuples of symbols to counts."""

    def __init__(self, texts: list[str], order: int) -> None:
        self.order = order
        raw: Counter[Gram] = Counter()
        for text in texts:
            symbols = ["begin", *text.encode(), "end"]
            for place in range(1, len(symbols)):
                for length in range(1, order + 1):
                    if place - length + 1 >= 0:
                        raw[tuple(symbols[place - length + 1 : place + 1])] += 1
        before: defaultdict[Gram, set[Any]] = defaultdict(set)
        for gram in raw:
            before[gram[1:]].add(gram[0])
        self.counts = {
            gram: count if len(gram) == order or gram[0] == "begin" else len(before[gram])
            for gram, count in raw.items()
        }
        self.discounts = [self._discounts(length) for length in range(1, order + 1)]
        self.followers: defaultdict[Gram, list[Gram]] = defaultdict(list)
        for gram in self.counts:
            self.followers[gram[:-1]].append(gram)

    def _discounts(self, length: int) -> tuple[float, ...]:
        n = Counter(count for gram, count in self.counts.items() if len(gram) == length)
        if not all(n[times] for times in (1, 2, 3, 4)):
            return FALLBACK
        y = n[1] / (n[1] + 2 * n[2])
        found = tuple(times - (times + 1) * y * n[times + 1] / n[times] for times in (1, 2, 3))
        return found if all(0 < d < times for times, d in enumerate(found, 1)) else FALLBACK

    def probability(self, context: Gram, symbol: Any) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        lower = self.probability(context[1:], symbol) if context else 1 / 257
        followers = self.followers[context]
        if not followers:
            return lower
        amounts = (0.0, *self.discounts[len(context)])
        total = sum(self.counts[gram] for gram in followers)
        kept = sum(amounts[min(self.counts[gram], 3)] for gram in followers) / total
        count = self.counts.get((*context, symbol), 0)
        return (count - amounts[min(count, 3)]) / total + kept * lower

    def logp(self, text: str) -> list[float]:
        symbols = ("begin", *text.encode())
        return [math.log(self.probability(symbols[:i], symbols[i])) for i in range(1, len(symbols))]


def random_texts(seed: int, count: int, letters: str = "abcd ") -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), rng.integers(0, 60))) for _ in range(count)]


@pytest.mark.parametrize("order", range(1, 8))
def test_like_the_obvious_model(order: int) -> None:
    trained, scored = random_texts(order, 60), [*random_texts(100, 20, "abcdé "), *TEXTS]
    model, oracle = NgramModel.train(trained, order=order), Obvious(trained, order)
    assert np.allclose(model.discounts, oracle.discounts)
    for text, logp in zip(scored, model.byte_logp(scored), strict=True):
        assert np.allclose(logp, oracle.logp(text), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    trained=st.lists(st.text("ab\0é", max_size=12), min_size=1, max_size=8),
    scored=st.lists(st.text("abc\0é", max_size=12), max_size=4),
    order=st.integers(1, 5),
)
def test_like_the_obvious_model_on_any_text(trained: list[str], scored: list[str], order: int) -> None:
    model, oracle = NgramModel.train(trained, order=order), Obvious(trained, order)
    for text, logp in zip(scored, model.byte_logp(scored), strict=True):
        assert np.allclose(logp, oracle.logp(text), atol=1e-5)


@pytest.mark.parametrize("context", [b"", b"t", b"the c", b"\xff\0\xfe", b"the cat sat on the mat"])
def test_probabilities_sum_to_one(context: bytes) -> None:
    for order in (1, 3, 6):
        logp = NgramModel.train(TEXTS, order=order).next_logp(context)
        assert logp.shape == (257,)
        assert np.exp(logp.astype(np.float64)).sum() == pytest.approx(1, abs=1e-6)


def test_next_bytes_are_those_of_texts() -> None:
    model = NgramModel.train(TEXTS, order=4)
    (logp,) = model.byte_logp(["cats"])
    assert [model.next_logp(b"cats"[:i])[b"cats"[i]] for i in range(4)] == [*logp]
    ends = [
        model.next_logp(text.encode())[256] for text in ("the cat sat on the mat", "the cat sat on the m")
    ]
    assert ends[0] > ends[1]


def test_scores() -> None:
    model = NgramModel.train(TEXTS, order=3)
    scores = model.rolling(iter(["the hat", "", "é"]))
    assert [(s.n_tokens, s.n_bytes, s.n_windows) for s in scores] == [(7, 7, 1), (0, 0, 0), (2, 2, 1)]
    assert scores[0].logp == pytest.approx(sum(Obvious(TEXTS, 3).logp("the hat")), abs=1e-4)
    assert scores[1].logp == 0
    assert scores[0].bits_per_byte < NgramModel.train(["zzz"]).rolling(["the hat"])[0].bits_per_byte


def test_neither_batches_nor_neighbours_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, scored = random_texts(1, 200), random_texts(2, 50)
    whole = NgramModel.train(trained, order=5)
    expected = whole.rolling(scored)
    monkeypatch.setattr(counting, "TOGETHER", 100)
    pieces = NgramModel.train(iter(trained), order=5)
    assert pieces.fingerprint == whole.fingerprint
    assert NgramModel.train(trained[::-1], order=5).fingerprint == whole.fingerprint
    assert pieces.rolling(scored) == expected
    assert [whole.rolling([text])[0] for text in scored] == expected


def test_more_context_helps_on_real_structure() -> None:
    trained = ["one two three four five six seven " * 20] * 5
    bits = [NgramModel.train(trained, order=n).rolling(["four five six"])[0].bits_per_byte for n in (1, 3, 6)]
    assert bits[0] > bits[1] > bits[2]


@pytest.mark.parametrize("order", [0, 8, -1])
def test_orders_out_of_range(order: int) -> None:
    with pytest.raises(InputError, match="order: expected 1 to 7"):
        NgramModel.train(TEXTS, order=order)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: NgramModel.train([]), InputError, "texts: expected at least one text"),
        (lambda: NgramModel.train("one"), InputTypeError, "texts: expected an iterable"),
        (lambda: NgramModel.train(["a", "\ud800"]), InputError, r"texts\[1\]: expected Unicode"),
        (lambda: NgramModel.train(["a", 1]), InputTypeError, r"texts\[1\]: expected a string"),
        (lambda: NgramModel.train(["a"], order=2.0), InputTypeError, "order: expected a whole number"),
        (lambda: NgramModel.train(["a"]).rolling("one"), InputTypeError, "texts: expected an iterable"),
        (lambda: NgramModel.train(["a"]).rolling([b"a"]), InputTypeError, r"texts\[0\]: expected a string"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_save_and_open(tmp_path: Path) -> None:
    model = NgramModel.train(TEXTS, order=5)
    model.save(tmp_path / "model")
    again = NgramModel.open(tmp_path / "model")
    assert again.fingerprint == model.fingerprint
    assert again.discounts == model.discounts
    assert again.n_grams == model.n_grams
    assert again.rolling(TEXTS) == model.rolling(TEXTS)
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "model"]
    assert NgramModel.train([*TEXTS, "x"], order=5).fingerprint != model.fingerprint


def test_every_cut_and_every_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model"
    NgramModel.train(["ab"], order=2).save(path)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place])
        with pytest.raises(InputError, match="is no n-gram model"):
            NgramModel.open(path)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match="is no n-gram model"):
            NgramModel.open(path)


def forged(header: bytes, arrays: bytes = b"") -> bytes:
    """A file whose hash is right."""
    import hashlib

    data = file.MAGIC + header + b"\n" + arrays
    return data + hashlib.sha256(data).digest()


def level(keys: list[int], values: list[float]) -> bytes:
    return np.array(keys, "<u8").tobytes() + np.array(values, "<f4").tobytes() + bytes(8) + bytes(4)


ONE = b'{"sizes": [[2, 1]], "discounts": [[0.5, 1, 1.5]]}'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with something else"),
        (b"\x80\x04pickle", "begins with something else"),
        (file.MAGIC + b"x" * 100_000 + b"\n", "first lines are cut off"),
        (forged(b"{}"), "do not say"),
        (forged(b"[1]"), "do not say"),
        (forged(b"[" * 60_000), "do not say"),
        (forged(b'{"sizes": [], "discounts": []}'), "do not say"),
        (forged(b'{"sizes": [[-1, 1]], "discounts": [[1, 1, 1]]}'), "do not say"),
        (forged(b'{"sizes": [[true, 1]], "discounts": [[1, 1, 1]]}'), "do not say"),
        (forged(b'{"sizes": [[1, 1, 1]], "discounts": [[1, 1, 1]]}'), "do not say"),
        (forged(b'{"sizes": [[1, 1]], "discounts": [[1, 1]]}'), "do not say"),
        (forged(b'{"sizes": [[1, 1]], "discounts": [[1e400, 1, "x"]]}'), "do not say"),
        (forged(b'{"sizes": [[1%s, 1]], "discounts": [[1, 1, 1]]}' % (b"0" * 4000)), "do not say"),
        (forged(b'{"sizes": [[1, 1]], "discounts": [[1%s, 1, 1]]}' % (b"0" * 4000)), "do not say"),
        (forged(b'{"sizes": [[1000000000, 1]], "discounts": [[1, 1, 1]]}'), "bytes, expected"),
        (forged(ONE, level([5, 4], [-1, -1])), "keys of order 1 do not rise"),
        (forged(ONE, level([4, 4], [-1, -1])), "keys of order 1 do not rise"),
        (forged(ONE, level([4, 5], [-1, math.nan])), "no logarithms"),
        (forged(ONE, level([4, 5], [-1, -math.inf])), "no logarithms"),
        (forged(ONE, level([4, 5], [-1, 1])), "no logarithms"),
    ],
)
def test_hostile_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"path: .* is no n-gram model: .*{message}"):
        NgramModel.open(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="path: cannot read"):
            NgramModel.open(path)


def test_a_forged_file_with_right_numbers_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(forged(ONE, level([4, 5], [-1, -2])))
    assert NgramModel.open(path).n_grams == (2,)


def test_files_of_texts_are_scored_by_it(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    model = NgramModel.train(TEXTS, order=3)
    inputs = tmp_path / "texts.txt"
    inputs.write_text("the cat\nthe mat\n", "utf-8")
    report = score_files(model, inputs, tmp_path / "scores.parquet")  # type: ignore[arg-type]
    rows = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert [row["logp"] for row in rows] == [score.logp for score in model.rolling(["the cat", "the mat"])]
    assert report.fingerprint == model.fingerprint
    assert report.tokens == 14


def test_torch_is_not_loaded() -> None:
    code = (
        "import sys; from pyfastlm.lm import NgramModel; NgramModel.train(['a']).rolling(['a']);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
