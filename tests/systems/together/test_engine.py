"""Answers of the engine against plain forward passes of the model, one after the other."""

import copy
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from preferences import small_lm
from programs import small_engine

from pyfastlm.errors import InputError
from pyfastlm.together import Choice, Forced, Free, HFEngine, Shaped
from pyfastlm.together.writer import Writer

ASKED = [("system", "You sell fruit."), ("user", "Il mercato apre presto.")]
PLAN = (Forced("= "), Choice("a", ("leo", "one")), Forced(" ]\n"), Free("b", r"\n"), Forced(" ="))


def logits(engine: HFEngine, tokens: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return engine.weights.lm.model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def greedy(engine: HFEngine, prompt: str, count: int) -> list[int]:
    """Token by token, each time over the whole text."""
    tokens = engine.tokenizer.encode(prompt)
    made: list[int] = []
    while len(made) < count and not set(made) & set(engine.tokenizer.ends):
        made.append(int(logits(engine, tokens + made)[-1].argmax()))
    return made


def asked(engine: HFEngine, count: int, **options: Any) -> list[Any]:
    """Calls that begin alike."""
    words = ["pane", "vino", "latte", "uova", "mele", "pere"][:count]
    return [engine.call([*ASKED[:1], ("user", f"{ASKED[1][1]} {word}")], **options) for word in words]


def test_greedy_is_what_the_model_says() -> None:
    engine = small_engine()
    call = engine.call(ASKED, max_tokens=20)
    answer = engine.answers([call])[0]
    assert answer.text == engine.tokenizer.decode(greedy(engine, call.prompt, 20))
    assert (answer.prompt_tokens, answer.completion_tokens) == (len(engine.tokenizer.encode(call.prompt)), 20)
    assert not answer.finished


@pytest.mark.parametrize("plan", [(Free(),), PLAN])
def test_neither_cache_nor_batch_changes_an_answer(plan: Any) -> None:
    alone = small_engine(cache_tokens=0, batch_size=1)
    together = small_engine(batch_size=3)
    calls = asked(alone, 5, plan=plan, max_tokens=12)
    expected = [alone.answers([call])[0].text for call in calls]
    assert [answer.text for answer in together.answers(calls)] == expected
    again = together.answers(calls)
    assert [answer.text for answer in again] == expected
    # The last token of a prompt is always read.
    assert [answer.reused_tokens for answer in again] == [answer.prompt_tokens - 1 for answer in again]
    assert alone.usage.reused_tokens == 0
    assert len(set(expected)) > 1


def test_a_common_start_is_read_once_even_within_a_batch() -> None:
    engine = small_engine(batch_size=8)
    found = engine.answers(asked(engine, 6, max_tokens=2))
    assert found[0].reused_tokens == 0
    shared = len(engine.tokenizer.encode(engine.call(ASKED).prompt)) - 20
    assert all(answer.reused_tokens >= shared for answer in found[1:])
    assert engine.usage.reused_tokens == sum(answer.reused_tokens for answer in found)
    assert engine.usage.calls == 6


def test_a_small_cache_and_a_full_one() -> None:
    engine = small_engine(cache_tokens=70, batch_size=2)
    reference = small_engine(cache_tokens=0)
    for call in asked(engine, 6, max_tokens=4):
        assert engine.answers([call])[0].text == reference.answers([call])[0].text


def test_threads_are_decoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine(batch_size=6)
    sizes = []
    ask = engine._batcher._ask_tokens
    monkeypatch.setattr(
        engine._batcher, "_ask_tokens", lambda runner, jobs: [sizes.append(len(jobs)), ask(runner, jobs)]
    )
    calls = asked(engine, 6, max_tokens=30)
    expected = [small_engine(cache_tokens=0).answers([call])[0].text for call in calls]
    found: dict[int, str] = {}
    start = threading.Barrier(6)

    def run(number: int) -> None:
        start.wait()
        found[number] = engine.answers([calls[number]])[0].text

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(6)] == expected
    assert max(sizes) > 1


def test_nobody_takes_an_answer_that_is_between_two_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a writer has no segment for a moment, the thread that waits for its answer looks at it."""
    engine = small_engine()
    batcher, begin = engine._batcher, Writer.begin

    def slowly(writer: Writer) -> None:
        with batcher._turn:
            batcher._turn.notify_all()
        time.sleep(0.02)
        begin(writer)

    calls = asked(engine, 6, plan=PLAN, max_tokens=6)
    expected = [answer.text for answer in small_engine().answers(calls)]
    monkeypatch.setattr(Writer, "begin", slowly)
    with ThreadPoolExecutor(6) as pool:
        found = [*pool.map(lambda call: engine.answers([call])[0].text, calls)]
    assert found == expected


def test_scores_of_options_are_log_probabilities_of_their_tokens() -> None:
    engine = small_engine()
    options = ["leo", "one", "the old clock"]
    prompt = engine.tokenizer.encode(engine.call(ASKED).prompt)
    expected, lengths = [], []
    for option in options:
        tokens = [*engine.tokenizer.encode(option), engine.tokenizer.ends[0]]
        every = logits(engine, prompt + tokens[:-1])[len(prompt) - 1 :].log_softmax(-1)
        expected.append(float(every.gather(1, torch.tensor(tokens)[:, None]).sum()))
        lengths.append(len(tokens))
    np.testing.assert_allclose(engine.choose(ASKED, options), expected, rtol=1e-5)
    means = np.array(expected) / lengths
    np.testing.assert_allclose(engine.choose(ASKED, options, per_token=True), means, rtol=1e-5)


def test_a_choice_is_closed_by_what_follows() -> None:
    """The likeliest option with its closing, not the likeliest start."""
    engine = small_engine()
    call = engine.call(ASKED, plan=PLAN)
    answer = engine.answers([call])[0]
    begin = engine.tokenizer.encode(call.prompt) + engine.tokenizer.encode("= ")
    closing = engine.tokenizer.encode(" ]\n")[:1]
    scores = []
    for option in ("leo", "one"):
        tokens = engine.tokenizer.encode(option) + closing
        every = logits(engine, begin + tokens[:-1])[len(begin) - 1 :].log_softmax(-1)
        scores.append(float(every.gather(1, torch.tensor(tokens)[:, None]).sum()))
    assert answer.choices[0].scores == pytest.approx(scores, rel=1e-5)
    assert answer.choices[0].option == ("leo", "one")[int(np.argmax(scores))]
    assert sum(np.exp(answer.choices[0].logprobs)) == pytest.approx(1)
    assert answer.text.startswith(f"= {answer.choices[0].option} ]\n")
    assert answer.text.endswith(" =")


def test_a_choice_after_a_text_has_read_what_lies_between() -> None:
    engine = small_engine()
    plan = (Free("a"), Forced(" [Mi] "), Choice("b", ("leo", "one")), Forced(" ]"), Free("c"))
    calls = asked(engine, 3, plan=plan, max_tokens=3)
    for call, answer in zip(calls, engine.answers(calls), strict=True):
        before, _, after = answer.text.partition(f" [Mi] {answer.choices[0].option} ]")
        prompt = engine.tokenizer.encode(call.prompt)
        begin = prompt + greedy(engine, call.prompt, 3) + engine.tokenizer.encode(" [Mi] ")
        scores = []
        for option in ("leo", "one"):
            tokens = engine.tokenizer.encode(option) + engine.tokenizer.encode(" ]")[:1]
            every = logits(engine, begin + tokens[:-1])[len(begin) - 1 :].log_softmax(-1)
            scores.append(float(every.gather(1, torch.tensor(tokens)[:, None]).sum()))
        assert answer.choices[0].scores == pytest.approx(scores, rel=1e-4)
        assert before == engine.tokenizer.decode(greedy(engine, call.prompt, 3))
        assert (after, answer.cut) == ("", ("a", "c"))


def test_draws_depend_on_the_seed_alone() -> None:
    first, second, other = small_engine(), small_engine(batch_size=1), small_engine(seed=0, cache_tokens=0)
    calls = [asked(engine, 4, temperature=1.0, max_tokens=10) for engine in (first, second, other)]
    texts = [[a.text for a in first.answers(calls[0])]]
    texts.append([second.answers([call])[0].text for call in calls[1]])
    texts.append([a.text for a in reversed(other.answers(calls[2][::-1]))])
    assert texts[0] == texts[1] == texts[2]
    # The same question again is another draw, unless a seed is given.
    again = [a.text for a in first.answers(asked(first, 4, temperature=1.0, max_tokens=10))]
    assert again != texts[0]
    seeded = [
        first.answers([first.call(ASKED, temperature=1.0, max_tokens=10, seed=3)])[0].text for _ in range(2)
    ]
    assert seeded[0] == seeded[1]


def test_draws_of_options_follow_their_probabilities() -> None:
    engine = small_engine(batch_size=50)
    plan = (Choice("a", ("leo", "one", "uf")),)
    calls = [engine.call(ASKED, plan=plan, temperature=2.0) for _ in range(400)]
    found = engine.answers(calls)
    wanted = np.exp(np.array(found[0].choices[0].logprobs) / 2)
    counts = np.array([sum(a.text == option for a in found) for option in ("leo", "one", "uf")])
    expected = 400 * wanted / wanted.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 13.8  # chi-square, two degrees, p = 0.001


def test_stop_and_limits() -> None:
    engine = small_engine()
    whole = engine.answers([engine.call(ASKED, max_tokens=20)])[0].text
    stop = whole[5:8]
    found = engine.answers([engine.call(ASKED, max_tokens=20, stop=(stop, "never there"))])[0]
    assert found.text == whole[: whole.index(stop)]
    assert found.finished
    two = (Free("a"), Forced(" | "), Free("b"))
    limited = small_engine(field_tokens=3)
    found = limited.answers([limited.call(ASKED, plan=two, max_tokens=5)])[0]
    assert found.cut == ("a", "b")
    assert found.completion_tokens == 5 + len(engine.tokenizer.encode(" | "))
    assert " | " in found.text


def test_the_end_of_the_context() -> None:
    engine = HFEngine(small_lm(max_position_embeddings=90))
    found = engine.answers([engine.call(ASKED, plan=(Free("a"), Forced("x"), Free("b")))])[0]
    assert not found.finished
    assert found.prompt_tokens + found.completion_tokens <= 90 + 1
    with pytest.raises(InputError, match=r"messages: the prompt has .* tokens, and the model reads 90"):
        engine.answers([engine.call([("user", "presto " * 60)])])


def test_json_under_a_schema() -> None:
    pytest.importorskip("llguidance")
    import json

    engine = small_engine()
    schema = '{"type": "array", "items": {"enum": [1, 22]}, "minItems": 2, "maxItems": 3}'
    for _ in range(3):
        call = engine.call(ASKED, plan=(Shaped("a", schema, "\n"),), temperature=2.0, max_tokens=50)
        answer = engine.answers([call])[0]
        assert answer.finished
        assert set(json.loads(answer.text)) <= {1, 22}
        assert 2 <= len(json.loads(answer.text)) <= 3
    wrong = engine.call(ASKED, plan=(Shaped("a", '{"type": "nonsense"}'),))
    with pytest.raises(InputError, match="response_format: the schema of 'a' cannot be followed"):
        engine.answers([wrong])
    # The engine goes on after such an error.
    assert engine.answers([engine.call(ASKED, max_tokens=2)])


def test_log_probabilities_of_what_was_written() -> None:
    engine = small_engine()
    call = engine.call(ASKED, max_tokens=4, logprobs=2)
    answer = engine.answers([call])[0]
    tokens = engine.tokenizer.encode(call.prompt)
    for written in answer.written:
        known = logits(engine, tokens)[-1].log_softmax(-1)
        assert written.logprob == pytest.approx(float(known[written.token]), rel=1e-4)
        assert [token for token, _ in written.top] == known.topk(2).indices.tolist()
        tokens.append(written.token)


def test_an_error_reaches_every_caller_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine()

    def broken(*_: Any) -> None:
        raise RuntimeError("out of something")

    with monkeypatch.context() as patched:
        patched.setattr(engine._batcher, "_ask_tokens", broken)
        with pytest.raises(RuntimeError, match="out of something"):
            engine.answers(asked(engine, 3))
    assert len(engine.answers(asked(engine, 3, max_tokens=2))) == 3


def test_copies_are_the_same_engine() -> None:
    engine = small_engine()
    assert copy.copy(engine) is engine
    assert copy.deepcopy({"lm": [engine]})["lm"][0] is engine


def test_pickles_hold_no_weights(tiny_engine_dir: Any) -> None:
    engine = HFEngine(tiny_engine_dir, batch_size=3)
    data = pickle.dumps(engine)
    assert len(data) < 2000
    assert pickle.loads(data) is engine
    state = engine.dump_state()
    del engine
    again = HFEngine.load_state(state)
    assert again.dump_state() == state
    with pytest.raises(InputError, match="is another model than the one that was saved"):
        HFEngine.load_state(state | {"fingerprint": "0" * 32})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cache_tokens": -1}, "cache_tokens: expected a whole number >= 0, got -1"),
        ({"batch_size": 0}, "batch_size: expected a whole number >= 1, got 0"),
        ({"max_tokens": "9"}, "max_tokens: expected a whole number, got '9'"),
        ({"field_tokens": 0}, "field_tokens: expected a whole number >= 1, got 0"),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_engine(**settings)


def test_wrong_calls() -> None:
    engine = small_engine()
    with pytest.raises(InputError, match="messages: expected at least one"):
        engine.call([])
    with pytest.raises(InputError, match="messages: expected a role of system, user, assistant, got 'tool'"):
        engine.call([("tool", "x")])
    with pytest.raises(InputError, match="options: expected different texts, at least one"):
        engine.choose(ASKED, [])
    with pytest.raises(InputError, match="options: expected different texts"):
        engine.choose(ASKED, ["a", "a"])
    with pytest.raises(InputError, match="model: no weights are known as 'hf/other', only hf/Llama"):
        engine.answers([engine.call(ASKED, model_id="hf/other")])
    lm = small_lm()
    lm.tokenizer.chat_template = None
    with pytest.raises(InputError, match="lm: its tokenizer has no chat template"):
        HFEngine(lm)
