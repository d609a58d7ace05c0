"""The copier against ``nn.GRU``: outputs, gradients, decoding in one scan and freely; its files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from copiers import LONGEST, SYMBOLS, small_model, some_sequences
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion import CopierConfig, GRUCopier, load_model, save_model, sequence_loss

BOTH = pytest.mark.parametrize("no_input", [False, True])


def by_torch(model: GRUCopier, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
    """States [B, N] and logits [len, V] of each row, one row at a time by ``nn.GRU``."""
    states, logits = [], []
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        real = row[:length]
        _, state = model.rnn(model.embedding(real)[None])
        heard = torch.cat([torch.tensor([SYMBOLS]), real[:-1]])
        if model.config.no_input:
            heard = torch.full((length,), SYMBOLS + 1)
        out, _ = model.rnn(model.embedding(heard)[None], state)
        states.append(state[0, 0])
        logits.append(model.fc(out[0]))
    return torch.stack(states), logits


@BOTH
def test_states_logits_and_gradients_are_those_of_nn_gru(no_input: bool) -> None:
    model, (tokens, lengths) = small_model(no_input=no_input), some_sequences(6)
    states, logits = by_torch(model, tokens, lengths)
    real = torch.arange(LONGEST) < lengths[:, None]
    truth = F.cross_entropy(torch.cat(logits), tokens[real])
    weights = list(model.parameters())
    wanted = torch.autograd.grad(truth, weights)

    torch.testing.assert_close(model.encode(tokens, lengths), states)
    for found in (model(tokens, lengths), model.decode(model.encode(tokens, lengths), tokens, lengths)):
        torch.testing.assert_close(found[real], torch.cat(logits))
        loss = sequence_loss(found, tokens, lengths)
        torch.testing.assert_close(loss, truth)
        for got, want in zip(torch.autograd.grad(loss, weights), wanted, strict=True):
            torch.testing.assert_close(got, want)


@BOTH
def test_what_stands_past_a_length_does_not_matter(no_input: bool) -> None:
    model, (tokens, lengths) = small_model(no_input=no_input), some_sequences(8)
    real = torch.arange(LONGEST) < lengths[:, None]
    other = tokens.where(real, (tokens + 1) % SYMBOLS)
    assert torch.equal(model(tokens, lengths)[real], model(other, lengths)[real])
    assert torch.equal(model.encode(tokens, lengths), model.encode(other, lengths))


def test_teacher_forcing_reads_the_true_tokens_and_no_input_reads_none() -> None:
    tokens, lengths = some_sequences(8)
    changed = tokens.clone()
    changed[:, 1] = (changed[:, 1] + 1) % SYMBOLS
    told, deaf = small_model(), small_model(no_input=True)
    state = told.encode(tokens, lengths)
    a, b = (told.decode(state, seen, lengths) for seen in (tokens, changed))
    assert torch.equal(a[:, :2], b[:, :2])  # of its own token and those after it, nothing is seen
    assert not torch.allclose(a[lengths > 2, 2], b[lengths > 2, 2])
    a, b = (deaf.decode(state, seen, lengths) for seen in (tokens, changed))
    assert torch.equal(a, b)


@BOTH
def test_free_running_reads_its_own_words(no_input: bool) -> None:
    model, (tokens, lengths) = small_model(no_input=no_input), some_sequences(9)
    state = model.encode(tokens, lengths)
    said = model.generate(state, lengths)
    for row in range(9):
        length, heard, words = int(lengths[row]), SYMBOLS + no_input, []
        h = state[row][None, None]
        for _ in range(length):
            out, h = model.rnn(model.embedding(torch.tensor([[heard]])), h)
            words.append(int(model.fc(out).argmax()))
            heard = SYMBOLS + 1 if no_input else words[-1]
        assert said[row].tolist() == words + [0] * (LONGEST - length)


@BOTH
def test_a_frozen_copier_gives_the_same_gradient_of_the_state_and_no_other(no_input: bool) -> None:
    model, (tokens, lengths) = small_model(no_input=no_input), some_sequences(6)
    frozen = model.frozen()
    state = frozen.encode(tokens, lengths)
    assert not state.requires_grad
    grads = []
    for decode in (frozen.decode, model.decode):
        leaf = state.clone().requires_grad_()
        sequence_loss(decode(leaf, tokens, lengths), tokens, lengths).backward()
        grads.append(leaf.grad)
        if decode is frozen.decode:
            assert all(weight.grad is None for weight in model.parameters())
    torch.testing.assert_close(*grads)
    before = frozen.table.clone()
    torch.nn.init.zeros_(model.embedding.weight)
    assert torch.equal(frozen.table, before)


def test_decoding_is_differentiable_to_second_thoughts() -> None:
    model, (tokens, lengths) = small_model(size=3), some_sequences(3)
    frozen, state = model.frozen(), model.encode(tokens, lengths).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: frozen.decode(s, tokens, lengths), state)


def test_the_seed_decides_the_first_weights_and_leaves_torch_s_stream_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b, c = (GRUCopier(CopierConfig(4, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(a.rnn.weight_hh_l0, b.rnn.weight_hh_l0)
    assert not torch.equal(a.rnn.weight_hh_l0, c.rnn.weight_hh_l0)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"n_symbols": 1}, {"max_len": 1}, {"seed": -1}])
def test_wrong_configurations_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        CopierConfig(**({"size": 4} | wrong))


def test_a_saved_model_comes_back_and_nn_gru_loads_it_unchanged(tmp_path: Path) -> None:
    model = small_model(no_input=True)
    save_model(model, tmp_path / "model.pt")
    back = load_model(tmp_path / "model.pt")
    assert back.config == model.config
    tokens, lengths = some_sequences(4)
    assert torch.equal(back(tokens, lengths), model(tokens, lengths))
    plain = torch.load(tmp_path / "model.pt", weights_only=True)
    gru = torch.nn.GRU(7, 7, batch_first=True).double()
    gru.load_state_dict({k.removeprefix("rnn."): v for k, v in plain.items() if k.startswith("rnn.")})
    assert plain["config"] == {
        "N": 7, "n_symbols": SYMBOLS, "min_len": 1, "max_len": LONGEST, "no_input": True, "seed": 0,
        "steps": 0,
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("fc.bias"), "missing or unknown: 'fc.bias'"),
        (lambda d: d.update(more=torch.ones(1)), "missing or unknown: 'more'"),
        (lambda d: d.pop("config"), "no config of a copier"),
        (lambda d: d.update(config=[7]), "no config of a copier"),
        (lambda d: d["config"].update(N="7"), "N that is no int"),
        (lambda d: d["config"].update(no_input=1), "no_input that is no bool"),
        (lambda d: d["config"].update(N=-7), "wrong config: size"),
        (lambda d: d["config"].update(N=8), "embedding.weight .*expected [7, 8], got [7, 7]"),
        (lambda d: d.update({"fc.bias": torch.ones(5).double().expand(5).to(torch.int64)}), "float32 or"),
        (lambda d: d.update({"fc.bias": torch.full((5,), torch.nan).double()}), "not finite"),
        (lambda d: d.update({"fc.bias": torch.ones(5)}), "expected the dtype of the others"),
        (lambda d: d.update({"fc.bias": torch.ones(1).double().expand(5)}), "one after the other"),
        (lambda d: d.update({"fc.bias": [1.0] * 5}), "expected [5], got list"),
    ],
)
def test_files_with_something_else_in_them_are_refused(
    change: Callable[[Any], None], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    save_model(small_model(), path)
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    pattern = re.escape(words).replace(r"\.\*", ".*")
    with pytest.raises(InputError, match=pattern):
        load_model(path)


def test_files_that_are_no_tensors_are_refused_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(InputError, match="cannot read"):
        load_model(path)
    save_model(small_model(), path)
    whole = path.read_bytes()
    for content in (b"", b"no", whole[: len(whole) // 2], whole[:100] + whole[200:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="path: "):
            load_model(path)
    for hostile in (Bomb(), [1, 2], {1: 2}):
        torch.save(hostile, path)
        with pytest.raises(InputError, match="path: "):
            load_model(path)
    assert "run" not in capsys.readouterr().out
