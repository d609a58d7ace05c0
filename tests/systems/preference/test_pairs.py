"""Pairs and the forms in which others keep them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.preference.pairs import PreferencePair, from_rows, to_clair, to_trl

TEXT = st.text(min_size=1, max_size=20)
PAIRS = st.builds(
    PreferencePair, st.text(max_size=20), TEXT.map(lambda t: f"a{t}"), TEXT.map(lambda t: f"b{t}"), st.text()
)


@given(st.lists(PAIRS, max_size=4))
def test_clair_rows_come_back(pairs) -> None:
    assert from_rows(to_clair(pairs)) == pairs
    assert all([m["role"] for m in row["chosen"]] == ["user", "assistant"] for row in to_clair(pairs))


@given(PAIRS, st.booleans())
def test_trl_rows_come_back_without_the_reason(pair, conversational) -> None:
    (row,) = to_trl([pair], conversational=conversational)
    assert set(row) == {"prompt", "chosen", "rejected"}
    assert from_rows([row]) == [PreferencePair(pair.prompt, pair.chosen, pair.rejected)]


def test_the_prompt_may_be_in_the_messages_alone() -> None:
    (row,) = to_clair([PreferencePair("p", "c", "r")])
    del row["prompt"], row["rational"]
    assert from_rows([row]) == [PreferencePair("p", "c", "r")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chosen": None}, r"rows\[0\]: chosen: expected a string or messages"),
        ({"chosen": ""}, "chosen: expected an answer"),
        ({"rejected": "c"}, "rejected: expected another answer"),
        ({"rejected": [{"role": "user", "content": "r"}]}, "rejected: expected messages of assistant"),
        ({"chosen": [{"role": "assistant", "content": 3}]}, "chosen: expected text"),
        (
            {"chosen": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "c"}]},
            "the same in all",
        ),
        ({"prompt": None}, "prompt: expected one, got 0"),
        ({"prompt": 7}, "prompt: expected a string or messages of user"),
        ({"rational": 7}, "rational: expected a string"),
    ],
)
def test_wrong_rows(change, said) -> None:
    with pytest.raises(InputError, match=said):
        from_rows([{"prompt": "p", "chosen": "c", "rejected": "r"} | change])


def test_no_row_at_all() -> None:
    with pytest.raises(InputError, match="column 'rejected'"):
        from_rows([{"chosen": "c"}])
    with pytest.raises(InputTypeError, match="expected a mapping"):
        from_rows(["text"])
