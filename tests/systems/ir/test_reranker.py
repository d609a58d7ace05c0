"""Training a cross-encoder: losses, that it learns, that it comes back from its files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from retrieval import DOCUMENTS
from torch import Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.ir import Collection, RankingExample, Reranker, RerankerOptions, evaluate, train_reranker
from pyfastlm.ir.bm25 import bm25_run
from pyfastlm.ir.training.batches import batches, lent
from pyfastlm.ir.training.losses import LOSSES, infonce, lambdarank, listnet, ranknet
from pyfastlm.ir.training.training import _groups, _scores


class Fixed(nn.Module):
    """What losses of sentence-transformers take for a cross-encoder; the score is the document's text."""

    num_labels = 1
    device = torch.device("cpu")

    def preprocess(self, pairs: list[tuple[str, str]], **_: Any) -> dict[str, Tensor]:
        return {"scores": torch.tensor([float(text) for _, text in pairs])}

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return features


def theirs(name: str, scores: Tensor, labels: Tensor) -> float:
    from sentence_transformers.cross_encoder import losses

    model: Any = Fixed()
    loss = {
        "ranknet": lambda: losses.RankNetLoss(model, reduction_log="natural"),
        "listnet": lambda: losses.ListNetLoss(model),
        "lambdarank": lambda: losses.LambdaLoss(model, losses.LambdaRankScheme(), reduction_log="natural"),
    }[name]()
    texts = [repr(score) for score in scores.tolist()]
    return float(loss([["query"], [texts]], [labels]))


@pytest.mark.parametrize("name", ["ranknet", "listnet", "lambdarank"])
def test_losses_of_sentence_transformers(name: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        count = int(rng.integers(2, 9))
        scores = torch.tensor(rng.normal(0, 2, count), dtype=torch.float32)
        labels = torch.zeros(count, dtype=torch.int64)
        labels[rng.permutation(count)[: rng.integers(1, count)]] = 1
        assert float(LOSSES[name](scores, labels)) == pytest.approx(theirs(name, scores, labels), rel=1e-5)


def test_graded_labels() -> None:
    scores, labels = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([2, 0, 1])
    for name in ("ranknet", "listnet"):
        assert float(LOSSES[name](scores, labels)) == pytest.approx(theirs(name, scores, labels), rel=1e-5)
    pairs = [((0, 1), 2, 1), ((0, 2), 1, 2), ((2, 1), 1, 3)]  # better, worse; gain; by places 1, 0, 2
    discounts = 1 / np.log2([3, 2, 4])  # of the documents where they are now
    best = 2 / 1 + 1 / np.log2(3)
    terms = [
        gain * abs(discounts[i] - discounts[j]) / best * float(F.softplus(scores[j] - scores[i]))
        for (i, j), gain, _ in pairs
    ]
    assert float(lambdarank(scores, labels)) == pytest.approx(np.mean(terms), rel=1e-5)


def test_infonce_is_cross_entropy() -> None:
    scores = torch.tensor([1.0, 0.5, -2.0, 3.0], dtype=torch.float64)
    one = infonce(scores, torch.tensor([0, 1, 0, 0]))
    assert float(one) == pytest.approx(float(F.cross_entropy(scores[None], torch.tensor([1]))))
    two = infonce(scores, torch.tensor([0, 1, 0, 1]))
    each = [F.cross_entropy(scores[[p, 0, 2]][None], torch.tensor([0])) for p in (1, 3)]
    assert float(two) == pytest.approx(float(torch.stack(each).mean()))


@pytest.mark.parametrize("loss", [infonce, ranknet, listnet, lambdarank])
def test_losses_know_only_differences_and_push_the_right_way(loss: Any) -> None:
    scores = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 0, 0])
    torch.testing.assert_close(loss(scores + 7, labels), loss(scores, labels))
    (gradient,) = torch.autograd.grad(loss(scores, labels), scores)
    assert gradient[0] < 0 < gradient[2]


WORDS = [*DOCUMENTS]


def examples() -> list[RankingExample]:
    """Of any query, the document with a boat is right."""
    texts = ("with a boat", "with a shell", "with a bow", "with a snail")
    return [RankingExample(word, ("a", "b", "c", "d"), texts, (1, 0, 0, 0)) for word in WORDS]


def task() -> Collection:
    corpus = {"one": "a crab", "two": "a piece of a boat", "three": "a bow"}
    return Collection("boats", {"q": "violin"}, corpus, {"q": {"one": 0, "two": 1, "three": 0}}, pooled=True)


@pytest.mark.parametrize("loss", [*LOSSES])
def test_it_learns(loss: str, tiny_encoder: Path) -> None:
    options = RerankerOptions(loss=loss, epochs=30, batch_size=4, learning_rate=3e-3, max_length=16)
    trained = train_reranker(examples(), base=tiny_encoder, options=options)
    assert len(trained.losses) == 30
    assert np.mean(trained.losses[-5:]) < 0.95 * np.mean(trained.losses[:5])
    assert evaluate(task().qrel, trained.reranker.run(task())).ndcg_at_10 == 1.0


def weights(reranker: Reranker) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in reranker.model.model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor], part: str = "") -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items() if part in name)


def test_the_seed_decides(tiny_encoder: Path) -> None:
    options = RerankerOptions(epochs=2, batch_size=2, max_length=16)
    before = torch.random.get_rng_state()
    first, again, other = (
        weights(train_reranker(examples(), base=tiny_encoder, options=options, seed=seed).reranker)
        for seed in (0, 0, 1)
    )
    assert same(first, again)
    assert not same(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("reset", "kept"),
    [("classifier", ["embeddings", "encoder", "pooler"]), ("head", ["embeddings", "encoder"]), ("all", [])],
)
def test_resets(reset: Any, kept: list[str], tiny_encoder: Path) -> None:
    options = RerankerOptions(reset=reset, learning_rate=1e-30, max_length=16)
    found = weights(train_reranker(examples()[:1], base=tiny_encoder, options=options).reranker)
    given = weights(Reranker.load(tiny_encoder))
    for part in ("embeddings", "encoder", "pooler"):
        dense = [name for name in given if part in name and name.endswith("weight") and "Norm" not in name]
        assert dense
        assert all(torch.equal(found[name], given[name]) == (part in kept) for name in dense)


def test_it_comes_back_as_a_cross_encoder(tiny_encoder: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    options = RerankerOptions(epochs=3, learning_rate=1e-3, max_length=16)
    reranker = train_reranker(examples(), base=tiny_encoder, options=options).reranker
    pairs = [(word, f"a {other}") for word in WORDS for other in WORDS]
    scores = reranker.scores(pairs)
    reranker.save(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert CrossEncoder(str(tmp_path / "out"), device="cpu").predict(pairs) == pytest.approx(scores, abs=1e-6)
    again = Reranker.load(tmp_path / "out")
    assert again.scores(pairs) == pytest.approx(scores, abs=1e-6)
    assert again.model.max_seq_length == 16
    with pytest.raises(InputError, match="out: expected a new directory"):
        reranker.save(tmp_path / "out")


def test_scores_do_not_depend_on_what_else_is_scored(tiny_encoder: Path) -> None:
    reranker = Reranker.load(tiny_encoder)
    pairs = [("sail", text) for text in (*DOCUMENTS.values(), "a", "")]
    together = reranker.scores(pairs)
    assert together == pytest.approx([float(reranker.scores([pair])[0]) for pair in pairs], abs=1e-5)
    assert reranker.scores([]).shape == (0,)


def test_only_the_first_of_bm25_are_reranked(tiny_encoder: Path) -> None:
    reranker = Reranker.load(tiny_encoder)
    whole = Collection("d", {"q": "boat wind"}, DOCUMENTS, {"q": {"sail": 1}}, pooled=False)
    order = sorted(bm25_run(whole)["q"].items(), key=lambda item: (-item[1], item[0]))
    run = reranker.run(whole, depth=2)["q"]
    assert run.keys() == DOCUMENTS.keys()
    found = sorted(run, key=lambda name: -run[name])
    assert {*found[:2]} == {name for name, _ in order[:2]}
    assert found[2:] == [name for name, _ in order[2:]]
    assert reranker.run(whole)["q"].keys() == DOCUMENTS.keys()


GOOD = RankingExample("sail", ("a", "b"), ("x", "y"), (1, 0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "examples: expected at least one"),
        ([GOOD, GOOD._replace(labels=(1, 1))], r"examples\[1\]: expected labels from 0 up, of which two"),
        ([GOOD._replace(labels=(1, -1))], "expected labels from 0 up"),
        ([GOOD._replace(labels=(1,))], "expected as many ids, texts and labels, got 2, 2 and 1"),
        ([GOOD._replace(texts=("x", 3))], r"examples\[0\]: text: expected a string, got int"),
    ],
)
def test_bad_examples(given: Any, message: str, tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match=message):
        train_reranker(given, base=tiny_encoder)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("loss", "hinge", "loss: expected one of infonce"),
        ("reset", "none", "reset: expected one of classifier"),
        ("epochs", 0, "epochs: expected a whole number >= 1"),
        ("in_batch", -1, "in_batch: expected a whole number >= 0"),
        ("classifier_rate", 0.0, "classifier_rate: expected a finite number > 0"),
        ("learning_rate", 0.0, "learning_rate: expected a finite number > 0"),
        ("temperature", float("inf"), "temperature: expected a finite number > 0"),
        ("warmup", 1.0, "warmup: expected"),
        ("weight_decay", -1.0, "weight_decay: expected"),
    ],
)
def test_bad_options(option: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RerankerOptions(**{option: value})


def test_no_such_base(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base: cannot load an encoder from"):
        train_reranker([GOOD], base=tmp_path / "none")


def test_a_loss_that_explodes_says_so(tiny_encoder: Path) -> None:
    options = RerankerOptions(epochs=30, learning_rate=1e30, max_length=16)
    with pytest.raises(InputError, match="take a lower learning_rate"):
        train_reranker(examples(), base=tiny_encoder, options=options)


def listed(query: str, documents: str, labels: tuple[int, ...]) -> RankingExample:
    return RankingExample(query, tuple(documents), tuple(f"text {name}" for name in documents), labels)


def test_a_batch_lends_its_documents() -> None:
    batch = [listed("1", "ab", (1, 0)), listed("2", "cdb", (1, 0, 2)), listed("3", "ae", (1, 0))]
    first, second, third = lent(batch, 5)
    assert first.documents == ("a", "b", "c")  # b and a it has, and the negatives of others stay there
    assert first.texts == ("text a", "text b", "text c")
    assert first.labels == (1, 0, 0)
    assert second.documents == ("c", "d", "b", "a")
    assert (third.documents, third.labels) == (("a", "e", "c", "b"), (1, 0, 0, 0))
    assert [each.documents for each in lent(batch, 1)][2] == ("a", "e", "c")
    copy = RankingExample("4", ("z", "y"), ("Text, A!", "text y"), (1, 0))
    assert lent([batch[0], copy], 3) == [batch[0], copy._replace(documents=("z", "y"))]


def test_batches_have_every_example_once_an_epoch() -> None:
    examples = [listed(str(n), chr(97 + 2 * n) + chr(98 + 2 * n), (1, 0)) for n in range(7)]
    found = [*batches(examples, 2, 3, 0, 0)]
    assert [len(batch) for batch in found] == [3, 3, 1, 3, 3, 1]
    for epoch in (found[:3], found[3:]):
        assert sorted(each.query for batch in epoch for each in batch) == [*"0123456"]
    more = [*batches(examples, 2, 3, 1, 0)]
    assert [[each.query for each in batch] for batch in more] == [[each.query for each in b] for b in found]
    assert [[len(each.texts) for each in batch] for batch in more[:3]] == [[3, 3, 3], [3, 3, 3], [2]]


def test_scores_do_not_depend_on_what_is_read_together(tiny_encoder: Path) -> None:
    reranker = Reranker.load(tiny_encoder, max_length=32)
    pairs = [(f"a {name}", f"{text} " * (1 + n % 3)) for n, (name, text) in enumerate(DOCUMENTS.items())] * 9
    with torch.no_grad():
        found = _scores(reranker.model, pairs)
    assert found.numpy() == pytest.approx(reranker.scores(pairs), abs=1e-5)


def test_the_classifier_learns_faster(tiny_encoder: Path) -> None:
    model = Reranker.load(tiny_encoder).model
    options = RerankerOptions(learning_rate=1e-3, classifier_rate=7)
    groups = _groups(model, options)
    fast = {id(p) for group in groups if group["lr"] == pytest.approx(7e-3) for p in group["params"]}
    assert fast == {id(p) for name, p in model.named_parameters() if "classifier" in name}
    assert sum(len(group["params"]) for group in groups) == len([*model.parameters()])
    assert all(p.ndim > 1 for group in groups if group["weight_decay"] for p in group["params"])
