"""GINC: its matrices are what they say, and its exact learner is Bayes by enumeration."""

import itertools

import numpy as np
import pytest

from pyfastlm.errors import InputError
from pyfastlm.icl import GINC, beliefs, prompts

TINY = GINC.make(3, entities=2, properties=3, symbols=5, seed=4)


def enumerated(
    ginc: GINC, text: np.ndarray, smoothing: float, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The next word's and the models' probabilities after ``text``, by summing over all hidden paths."""
    states = len(ginc.words)
    joint = np.zeros((ginc.hmms, ginc.symbols))
    for h in range(ginc.hmms):
        start = (1 - smoothing) * ginc.start[h] + smoothing / states
        steps = (1 - smoothing) * ginc.transitions[h] + smoothing / states
        for path in itertools.product(range(states), repeat=len(text) + 1):
            if all(ginc.words[state] == word for state, word in zip(path, text, strict=False)):
                p = start[path[0]] * np.prod([steps[a, b] for a, b in itertools.pairwise(path)])
                joint[h, ginc.words[path[-1]]] += prior[h] * p
    return joint.sum(axis=0) / joint.sum(), joint.sum(axis=1) / joint.sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_learner_is_bayes_by_enumeration(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    prior = np.array([0.5, 0.2, 0.3])
    path = [int(rng.choice(6, p=TINY.start[1]))]
    for _ in range(4):
        path.append(int(rng.choice(6, p=TINY.transitions[1, path[-1]])))
    text = TINY.words[path]
    found = beliefs(TINY, text[None], smoothing=smoothing, prior=prior)
    for length in range(1, 6):
        words, models = enumerated(TINY, text[:length], smoothing, prior)
        np.testing.assert_allclose(found.words[0, length - 1], words, atol=1e-12)
        np.testing.assert_allclose(found.models[0, length - 1], models, atol=1e-12)


def test_models_share_words_and_entities_but_not_how_properties_follow() -> None:
    ginc = GINC.make(seed=2)
    assert ginc.transitions.shape == (5, 100, 100)
    np.testing.assert_allclose(ginc.transitions.sum(axis=2), 1.0)
    np.testing.assert_allclose(ginc.transitions.sum(axis=1), 1.0)  # mixtures of permutations
    by_entity = ginc.transitions.reshape(5, 10, 10, 10, 10).sum(axis=4)[:, :, 0]
    assert np.abs(by_entity - by_entity[0]).max() < 1e-12
    assert (np.diagonal(by_entity[0]) >= 0.9).all()
    by_property = ginc.transitions.reshape(5, 10, 10, 10, 10).sum(axis=3)[:, 0]
    assert np.abs(by_property[0] - by_property[1]).max() > 0.1
    words = ginc.words.reshape(10, 10)
    assert (words[:, 0] == 0).all()
    assert words[:, 1:].min() >= 1
    again = GINC.make(seed=2)
    assert np.array_equal(again.transitions, ginc.transitions)
    assert not np.array_equal(GINC.make(seed=3).transitions, ginc.transitions)


def test_prompts_are_shots_with_delimiters_and_the_likeliest_last_word() -> None:
    ginc = GINC.make(seed=1)
    given = prompts(ginc, 2, 4, shots=6, count=50, seed=3)
    shots = given.tokens.reshape(50, 6, 5)
    assert (shots[:, :, 4] == 0).all()
    assert given.labels.shape == (50, 6)
    assert given.places.tolist() == [2, 7, 12, 17, 22, 27]
    # A label is what the state before it would say next at its likeliest: so the last word often is it.
    assert 0.2 < (shots[:, :, 3] == given.labels).mean() < 0.9
    assert prompts(ginc, 0, 3, count=2).tokens.shape == (2, 1024)
    assert not np.array_equal(prompts(ginc, 2, 4, shots=6, count=50, seed=4).tokens, given.tokens)


def test_the_learner_finds_the_model_of_a_prompt() -> None:
    ginc = GINC.make()
    for hmm in range(2):
        given = prompts(ginc, hmm, 3, shots=40, count=30, seed=0)
        found = beliefs(ginc, given.tokens)
        assert found.models[:, -1].mean(axis=0).argmax() == hmm
        answers = found.answers(given)
        for n, shot in ((0, 0), (7, 3), (29, 39)):
            assert answers[n, shot] == found.words[n, given.places[shot], given.labels[n, shot]]
        p = answers.mean(axis=0)
        assert p[20:].mean() > p[0] + 0.05


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(InputError, match="entities: expected at least 2, got 1"):
        GINC.make(entities=1)
    with pytest.raises(InputError, match="hmm: expected 0 to 2, got 3"):
        prompts(TINY, 3, 3)
    with pytest.raises(InputError, match="k: expected at least 2 words"):
        prompts(TINY, 0, 1)
    with pytest.raises(InputError, match="shots, count: expected at least 1, got 0 and 5"):
        prompts(TINY, 0, 3, shots=0, count=5)
    with pytest.raises(InputError, match="tokens: expected words below 5, got 0 to 7"):
        beliefs(TINY, np.array([[0, 7]]))
    with pytest.raises(InputError, match=r"tokens: expected \[N, T\]"):
        beliefs(TINY, np.array([1, 2]))
    with pytest.raises(InputError, match="smoothing: expected a share, got 2"):
        beliefs(TINY, np.array([[1]]), smoothing=2)
    never = next(word for word in range(1, 5) if word not in TINY.words)
    with pytest.raises(InputError, match=r"tokens\[1\]: no model writes this text"):
        beliefs(TINY, np.array([[0], [never]]))
