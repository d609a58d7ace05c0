"""Scoring in 8 bits: near the model's own scores, as independent of company, and told apart from them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from architectures import build
from tiny import SENTENCES
from torch import Tensor

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.lm import LM, Scorer, compare_precisions
from pyfastlm.lm.files import first_texts
from pyfastlm.lm.int8 import KEPT, Int8Layers
from pyfastlm.ops import int8_linear, int8_rows, int8_weight

TEXTS = [*SENTENCES, "", "a", " ".join(SENTENCES)]


def logp(scorer: Scorer, texts: list[str]) -> list[np.ndarray]:
    return [each.logp for each in scorer.token_logp(texts)]


@pytest.fixture(scope="module")
def scorer(tiny_lm: LM) -> Scorer:
    return Scorer(tiny_lm, max_length=24, tokens_per_batch=64, precision="int8")


@torch.inference_mode()
def own_loop(lm: LM, ids: Tensor) -> Tensor:
    """Log-probabilities of ids[1:], the model's layers by the op's reference and all else its own."""
    decoder, head = lm.model.get_decoder(), lm.model.get_output_embeddings()

    def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        keep = None if weight is head.weight else KEPT
        return int8_linear(int8_rows(x, keep=keep), int8_weight(weight), bias, impl="reference")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "linear", product)
        hidden = decoder(input_ids=ids[None, :-1], use_cache=False).last_hidden_state[0]
        return head(hidden).log_softmax(-1).gather(1, ids[1:, None])[:, 0]


def test_all_products_are_in_8_bits(tiny_lm, scorer):
    assert len(Int8Layers(tiny_lm.model.get_decoder())) == 2 * 7
    for text in SENTENCES[:3]:
        (found,) = scorer.token_logp([text])
        prefix = tiny_lm.tokenizer.bos_token_id
        ids = torch.tensor([prefix, *found.ids[:24].tolist()])
        error = np.abs(found.logp[:24] - np.asarray(own_loop(tiny_lm, ids)))
        assert np.median(error) < 2e-5
        assert error.max() < 0.02  # a sum in another order may tip a whole number


def test_near_the_model_and_not_equal(tiny_lm, scorer):
    exact = Scorer(tiny_lm, max_length=24, tokens_per_batch=64)
    errors = np.abs(np.concatenate(logp(exact, TEXTS)) - np.concatenate(logp(scorer, TEXTS)))
    assert 0 < errors.mean() < 0.15
    assert scorer.notes == ()
    assert scorer.precision == "int8"
    assert scorer.fingerprint != exact.fingerprint


def test_company_does_not_matter(scorer):
    together = logp(scorer, TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(logp(scorer, [text])[0], found, rtol=0, atol=2e-5)
    pairs = [(SENTENCES[0], " And then?"), (SENTENCES[0], " And then"), ("", "no context")]
    one = [scorer.conditional([pair])[0] for pair in pairs]
    for alone, found in zip(one, scorer.conditional(pairs), strict=True):
        # Rounding another sum of the prefix's attention may tip a whole number.
        assert found.logp == pytest.approx(alone.logp, abs=0.02 * found.n_tokens)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("GPT2", {"n_head": 4, "n_layer": 2, "n_embd": 32}),
        ("GPTNeoX", {}),
        ("Qwen2", {}),
        ("Gemma2", {"head_dim": 8}),
    ],
)
def test_architectures(name, changes):
    lm = build(name, changes)
    found = compare_precisions(lm, TEXTS, max_length=24)
    assert 0 < found.error_per_token < 0.1
    decoder = lm.model.get_decoder()
    linear = [part for part in decoder.modules() if type(part).__name__ in ("Linear", "Conv1D")]
    assert len(Int8Layers(decoder)) == len(linear) > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_halves(dtype):
    lm = build("Llama", {})
    lm.model.to(dtype)
    assert compare_precisions(lm, TEXTS, max_length=24).error_per_token < 0.1


def test_wrong_precision(tiny_lm):
    with pytest.raises(InputError, match="precision: expected one of model, int8, got 'int4'"):
        Scorer(tiny_lm, precision="int4")


def test_the_report(tiny_lm):
    found = compare_precisions(tiny_lm, TEXTS, max_length=24)
    exact, int8 = Scorer(tiny_lm, max_length=24), Scorer(tiny_lm, max_length=24, precision="int8")
    kept = [text for text in TEXTS if text]
    bits = np.array([[score.bits_per_byte for score in each.rolling(kept)] for each in (exact, int8)])
    difference = (bits[1] - bits[0]) / bits[0]
    assert found.documents == len(kept)
    assert found.mean_difference == pytest.approx(difference.mean(), rel=1e-3)
    assert found.p95_difference == pytest.approx(np.quantile(np.abs(difference), 0.95), rel=1e-3)
    assert found.largest_difference == pytest.approx(np.abs(difference).max(), rel=1e-3)
    scipy = pytest.importorskip("scipy.stats")
    assert found.rank_correlation == pytest.approx(scipy.spearmanr(*bits).statistic)
    with pytest.raises(InputError, match="texts: expected at least one that is not empty"):
        compare_precisions(tiny_lm, ["", ""])


def test_the_first_texts(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {n}"}) + "\nno json\n" for n in range(5)))
    assert first_texts([path, "-"], 3) == ["text 0", "text 1", "text 2"]
    assert first_texts(path, 99) == [f"text {n}" for n in range(5)]
    path.write_text(json.dumps({"text": "x" * 300_000}) + "\n" + json.dumps({"text": "y"}))
    assert first_texts(path, 9) == ["x" * 300_000]


def test_the_command(tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path, output = tmp_path / "a.jsonl", tmp_path / "scores.parquet"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in SENTENCES))
    call = ["score", str(path), "-o", str(output), "-m", str(tiny_lm_dir), "--json", "--precision"]
    assert run([*call, "int8"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"int8 on the first {len(SENTENCES)} documents: ")
    assert json.loads(out)["documents"] == len(SENTENCES)
    assert run([*call, "int8", "--sample", "0"]) == 0
    assert capsys.readouterr().err == ""
    assert run([*call, "model"]) == 2
    assert "fingerprint" in capsys.readouterr().err
    assert run([*call, "int4"]) == 2
    assert "precision: expected one of model, int8" in capsys.readouterr().err
