"""Which example is replaced by what: plans by definition, and batches looked into."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny import tiny_tokenizer

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.order import Order
from pyfastlm.memorization import Injection, TokenStream, scheduled
from pyfastlm.memorization.injection.plan import Plan

WINDOW = 7
VOCABULARY = 1000


def stream(rows: int = 10) -> TokenStream:
    """Rows that tell which they are: row r holds 100 + r, 8 times."""
    return TokenStream(np.repeat(np.arange(100, 100 + rows)[:, None], WINDOW + 1, axis=1), WINDOW)


def plan(*injections: Injection, steps: int = 6, batch_size: int = 4, tokenizer: Any = None) -> Plan:
    return Plan(injections, tokenizer, WINDOW, vocabulary=VOCABULARY, steps=steps, batch_size=batch_size)


# The order of a stream


@given(st.integers(1, 30), st.integers(0, 90), st.integers(0, 50), st.integers(0, 3))
def test_order_is_a_function_of_seed_and_position(count: int, start: int, length: int, seed: int) -> None:
    order = Order(count, seed)
    taken = order.take(start, length)
    assert taken.tolist() == [int(Order(count, seed).take(start + n, 1)[0]) for n in range(length)]
    epochs = Order(count, seed).take(0, 3 * count).reshape(3, count)
    assert (np.sort(epochs, axis=1) == np.arange(count)).all()
    assert Order(count, None).take(start, length).tolist() == [
        n % count for n in range(start, start + length)
    ]


def test_epochs_and_seeds_differ() -> None:
    first, second = Order(50, 0).take(0, 100).reshape(2, 50)
    assert (first != second).any()
    assert (first != Order(50, 1).take(0, 50)).any()


# What is planted


def test_texts_are_encoded_and_cut() -> None:
    tokenizer = tiny_tokenizer()
    text = "The old clock struck four before anyone noticed."
    ids = tokenizer(text)["input_ids"]
    assert len(ids) > 8
    assert Injection("a", text).tokens(tokenizer, 8).tolist() == ids[:8]
    assert Injection("a", text).tokens(tokenizer, 500).tolist() == ids
    assert Injection("a", text, transform="given").tokens(tokenizer, 8).tolist() == ids[:8]


def test_shuffling_is_of_the_tokens_that_fit_and_by_seed_and_name() -> None:
    content = tuple(range(100, 140))
    first = Injection("a", content, transform="shuffled").tokens(None, 20)
    assert sorted(first.tolist()) == list(range(100, 120))
    assert first.tolist() != list(range(100, 120))
    assert first.tolist() == Injection("a", content, transform="shuffled").tokens(None, 20).tolist()
    for other in (
        Injection("a", content, transform="shuffled", seed=1),
        Injection("b", content, (), "shuffled"),
    ):
        assert other.tokens(None, 20).tolist() != first.tolist()


def test_the_plan_of_the_original() -> None:
    """Example i is replaced if i mod n is the key; here for the first occurrences."""
    injection = Injection.repeated("a", (1, 2), occurrences=4, every=10, first=3)
    assert injection.examples == tuple(i for i in range(40) if i % 10 == 3)
    assert Injection.once("a", (1, 2), at=5).examples == (5,)
    assert Injection.repeated("a", (1, 2), occurrences=0, every=1).examples == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Injection("", (1, 2)), "sequence: expected a name"),
        (lambda: Injection("a", (1, 2), transform="reversed"), "transform: expected one of original"),  # type: ignore[arg-type]
        (lambda: Injection("a", (1, -2)), "content: expected whole numbers of at least 0"),
        (lambda: Injection("a", (1.5, 2)), "content: expected whole numbers"),  # type: ignore[arg-type]
        (lambda: Injection("a", (None,)), "content: expected whole numbers"),  # type: ignore[arg-type]
        (lambda: Injection("a", 7), "content: expected whole numbers"),  # type: ignore[arg-type]
        (lambda: Injection("a", (1, 2), (3, 3)), "examples: expected ascending numbers for 'a'"),
        (lambda: Injection("a", (1, 2), (-1,)), "examples: expected whole numbers of at least 0"),
        (lambda: Injection("a", (1, 2), seed=-1), "seed: expected at least 0"),
        (lambda: Injection.repeated("a", (1, 2), occurrences=-1, every=1), "occurrences: expected at least"),
        (lambda: Injection.repeated("a", (1, 2), occurrences=1, every=0), "every: expected at least 1"),
        (lambda: Injection.repeated("a", (1, 2), occurrences=1, every=1, first=-1), "first: expected"),
        (lambda: Injection("a", (1,)).tokens(None, 8), "content: expected at least 2 tokens in 'a', got 1"),
        (lambda: Injection("a", "text").tokens(None, 8), "content: a text needs a tokenizer"),
    ],
)  # fmt: skip
def test_what_is_no_injection(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=rf"^{message}"):
        make()


# A schedule


@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 12)), st.integers(0, 40), st.integers(0, 2))
def test_schedules_are_spread(repetitions: dict[str, int], spare: int, seed: int) -> None:
    total = sum(repetitions.values())
    examples = total + spare
    found = scheduled(repetitions, examples=examples, seed=seed)
    assert {name: len(places) for name, places in found.items()} == repetitions
    taken = sorted(place for places in found.values() for place in places)
    assert len(set(taken)) == total
    assert all(0 <= place < examples for place in taken)
    gaps = np.diff(taken)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
    assert all(list(places) == sorted(places) for places in found.values())


def test_repetitions_of_a_sequence_are_all_over_the_run() -> None:
    found = scheduled({"often": 20, **{f"seldom {n}": 4 for n in range(20)}}, examples=10_000, seed=3)
    assert np.histogram(found["often"], bins=5, range=(0, 10_000))[0].min() >= 3
    assert found != scheduled({"often": 20, **{f"seldom {n}": 4 for n in range(20)}}, examples=10_000, seed=4)


def test_as_many_as_batches_gives_one_each() -> None:
    found = scheduled({"a": 30, "b": 20}, examples=50 * 16)
    steps = sorted(place // 16 for places in found.values() for place in places)
    assert steps == list(range(50))


def test_what_no_schedule_can_hold() -> None:
    with pytest.raises(InputError, match=r"^examples: expected at least the 5 repetitions, got 4"):
        scheduled({"a": 5}, examples=4)
    with pytest.raises(InputError, match=r"^repetitions"):
        scheduled({"a": -1}, examples=4)


# Batches


def rows_by_hand(
    injections: list[Injection], order: list[int], step: int, batch_size: int
) -> NDArray[np.int64]:
    """The definition: one example after the other."""
    rows = []
    for number in range(step * batch_size, (step + 1) * batch_size):
        row = [100 + order[number]] * (WINDOW + 1)
        for injection in injections:
            if number in injection.examples:
                row = [*injection.content, *[-1] * (WINDOW + 1)][: WINDOW + 1]  # type: ignore[list-item]
        rows.append(row)
    return np.array(rows)


@given(st.lists(st.integers(0, 23), unique=True, max_size=24), st.integers(0, 5), st.integers(1, 12))
def test_batches_hold_exactly_what_is_planned(places: list[int], seed: int, rows: int) -> None:
    """However few rows the stream has."""
    shares = [tuple(sorted(places[n::3])) for n in range(3)]
    lengths = (WINDOW + 1, 3, WINDOW + 4)
    injections = [
        Injection(f"s{n}", tuple(range(10 * n, 10 * n + length)), share)
        for n, (share, length) in enumerate(zip(shares, lengths, strict=True))
    ]
    made = plan(*injections)
    order = Order(rows, seed)
    by_hand = Order(rows, seed).take(0, 24).tolist()
    counts = np.zeros(3, int)
    for step in range(6):
        batch = made.batch(stream(rows), order, step)
        assert (batch.tokens == rows_by_hand(injections, by_hand, step, 4)).all()
        for number, share in enumerate(shares):
            assert np.flatnonzero(batch.planted == number).tolist() == [
                p % 4 for p in share if p // 4 == step
            ]
            counts[number] += (batch.planted == number).sum()
        assert (made.until(step + 1) == counts).all()
    assert counts.tolist() == [len(share) for share in shares]
    per_step = np.bincount(np.array(places, int) // 4, minlength=1)
    assert made.densest() == per_step.max()


def test_a_twin_differs_in_the_planted_rows_only() -> None:
    made, twin = plan(Injection("a", (1, 2, 3), (5, 9))), plan()
    order = Order(10, 4)
    for step in range(6):
        with_it, without = made.batch(stream(), order, step), twin.batch(stream(), order, step)
        differs = (with_it.tokens != without.tokens).any(axis=1)
        assert (np.flatnonzero(differs) + 4 * step).tolist() == [n for n in (5, 9) if n // 4 == step]


@pytest.mark.parametrize(
    ("injections", "message"),
    [
        ([Injection("a", (1, 2)), Injection("a", (1, 3))], "expected each name once, got 'a' twice"),
        ([Injection("a", (1, 2), (3,)), Injection("b", (1, 3), (3,))], "'a' and 'b' both want example 3"),
        ([Injection("a", (1, 2), (24,))], "'a' is planned for example 24, but 6 steps of 4 reach only 24"),
        ([Injection("a", (1, VOCABULARY))], "'a' has token 1000, but the model has 1,000 entries"),
        ([Injection("a", (1, 2)), Injection("b", (1, 2))], "'a' and 'b' are the same tokens"),
        ([Injection("a", tuple(range(9))), Injection("b", tuple(range(8)))], "'a' and 'b' are the same"),
    ],
)  # fmt: skip
def test_plans_that_contradict_themselves(injections: list[Injection], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(*injections)


def test_a_stream_that_has_the_sequence_itself_is_noticed() -> None:
    made = plan(Injection("a", (103,) * (WINDOW + 1), (0,)))
    order = Order(10, None)
    assert made.batch(stream(), order, 1).planted.max() == -1
    with pytest.raises(InputError, match=r"^stream: example 3 is 'a' itself"):
        made.batch(stream(), order, 0)


def test_tokens_that_the_model_does_not_know(tmp_path: Path) -> None:
    for wrong in (VOCABULARY, -1):
        rows = np.full((5, 8), 7)
        rows[3, 2] = wrong
        with pytest.raises(InputError, match=r"^stream: row 3 has tokens outside the model's 1,000"):
            plan().batch(TokenStream(rows, WINDOW), Order(5, None), 0)


# Streams


def test_a_file_is_mapped_and_cut_to_the_window(tmp_path: Path) -> None:
    rows = np.arange(60, dtype=np.uint16).reshape(5, 12)
    np.save(tmp_path / "rows.npy", rows)
    found = TokenStream.open(tmp_path / "rows.npy", WINDOW)
    assert isinstance(found._rows, np.memmap)
    assert len(found) == 5
    taken = found.examples(np.array([4, 0]))
    assert taken.dtype == np.int64
    assert (taken == rows[[4, 0], :8]).all()
    assert (found.part(2, 4).examples(np.array([0])) == rows[2, :8]).all()
    assert found.digest() == TokenStream(rows.astype(np.int64), WINDOW).digest()
    assert found.digest() != TokenStream(rows[::-1], WINDOW).digest()
    for wrong in ((0, 6), (3, 3), (-1, 2)):
        with pytest.raises(InputError, match=r"^part"):
            found.part(*wrong)


def test_texts_end_to_end(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    texts = ["The old clock struck four.", "", "Il mercato apre presto.", "Le vent tournait."]
    flat = [id for text in texts for id in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    found = TokenStream.from_texts(texts, tokenizer, WINDOW)
    count = len(flat) // 8
    assert found.examples(np.arange(count)).ravel().tolist() == flat[: 8 * count]
    assert len(found) == count
    (tmp_path / "a.txt").write_text("\n".join(texts))
    whole = [text for text in texts if text]
    read = TokenStream.read(tmp_path / "a.txt", tokenizer, WINDOW)
    assert read.digest() == TokenStream.from_texts(whole, tokenizer, WINDOW).digest()
    np.save(tmp_path / "a.npy", found.examples(np.arange(count)))
    assert TokenStream.read([tmp_path / "a.npy"], None, WINDOW).digest() == found.digest()


def test_what_is_no_stream(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    for rows, message in (
        (np.zeros((3, 7), int), r"rows: expected \[rows, 8 or more\]"),
        (np.zeros((0, 9), int), r"rows: expected \[rows, 8 or more\]"),
        (np.zeros(9, int), r"rows: expected \[rows, 8 or more\]"),
        (np.zeros((3, 9)), "rows: expected an array of integers, got float64"),
        ([[1, 2]], "rows: expected an array of integers, got list"),
    ):
        with pytest.raises(InputError, match=rf"^{message}"):
            TokenStream(rows, WINDOW)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^window"):
        TokenStream(np.zeros((3, 9), int), 0)
    with pytest.raises(InputError, match=r"^window"):
        TokenStream.from_texts(["text"], tokenizer, 0)
    with pytest.raises(InputError, match=r"^texts: expected more than 7 tokens, got 2"):
        TokenStream.from_texts(["a"], tokenizer, WINDOW)
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", a=np.zeros((3, 9), int))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    np.save(tmp_path / "short.npy", np.zeros((30, 9), int))
    data = (tmp_path / "short.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(data[:500])
    (tmp_path / "none.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_bytes(b"no array at all")
    (tmp_path / "floats.npy").write_bytes(data.replace(b"<i8", b"<f8"))
    for name in ("pickle", "archive", "short", "none", "text", "missing"):
        with pytest.raises(InputError, match=r"^path"):
            TokenStream.open(tmp_path / f"{name}.npy", WINDOW)
    with pytest.raises(InputTypeError, match=r"^rows"):
        TokenStream.open(tmp_path / "floats.npy", WINDOW)
    with pytest.raises(InputError, match=r"No such file"):
        TokenStream.read(tmp_path / "missing.txt", tokenizer, WINDOW)
    (tmp_path / "bad.jsonl").write_text('{"text": 5}\n')
    with pytest.raises(InputError, match=r"^files: .*bad.jsonl', row 1"):
        TokenStream.read(tmp_path / "bad.jsonl", tokenizer, WINDOW)
