"""Tasks of the grid: what is in them, how they are split, and files of all kinds."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.together.tasks import Row, Sizes, Splits, Task, draw, gsm8k, hotpot, iris, wordnet
from pyfastlm.together.tasks.questions import last_number, squad
from pyfastlm.together.tasks.task import majority, same

SHARED = Path(__file__).parents[4] / "shared" / "data"


def rows(count: int) -> tuple[Row, ...]:
    return tuple(Row(f"row-{n}", {"question": f"what is {n}?"}, str(n % 3)) for n in range(count))


def contents(part: tuple[Row, ...]) -> set[str]:
    return {repr(sorted(row.inputs.items())) for row in part}


def disjoint(splits: Splits) -> bool:
    parts = [contents(part) for part in splits]
    return len(set.union(*parts)) == sum(map(len, parts)) == sum(map(len, splits))


@given(st.integers(3, 40), st.integers(0, 10**6), st.data())
def test_splits_are_disjoint_and_of_their_sizes(count: int, seed: int, data: st.DataObject) -> None:
    train = data.draw(st.integers(1, count - 2))
    validation = data.draw(st.integers(1, count - 1 - train))
    test = data.draw(st.integers(1, count - train - validation))
    sizes = Sizes(train, validation, test)
    splits = draw(rows(count), sizes, seed)
    assert tuple(map(len, splits)) == sizes
    assert disjoint(splits)
    assert splits == draw(rows(count), sizes, seed)


def test_another_seed_draws_others() -> None:
    assert draw(rows(40), Sizes(10, 10, 10), 0) != draw(rows(40), Sizes(10, 10, 10), 1)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (5, 5, 1)])
def test_impossible_sizes(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="sizes: expected 1 or more rows each and 10 at most"):
        draw(rows(10), Sizes(*sizes), 0)


def test_a_row_twice_is_refused() -> None:
    with pytest.raises(InputError, match="expected each id once, got 'row-0' twice"):
        draw((*rows(3), Row("row-0", {"question": "another"}, "1")), Sizes(1, 1, 1), 0)
    with pytest.raises(InputError, match="expected each inputs once"):
        draw((*rows(3), Row("row-9", {"question": "what is 0?"}, "1")), Sizes(1, 1, 1), 0)


def test_iris() -> None:
    task = iris()
    assert len(task.rows) == 149
    assert {row.answer for row in task.rows} == {"setosa", "versicolor", "virginica"}
    for seed in range(3):
        splits = task.splits(seed)
        assert tuple(map(len, splits)) == (50, 25, 74)
        assert disjoint(splits)
        lines = {each.name: sum(each.right) / 74 for each in task.references(splits)}
        assert lines["logistic regression"] > 0.85 > 0.5 > lines["majority"]
    assert "setosa" not in repr([dict(row.inputs) for row in task.rows])


def test_majority_looks_at_training_alone() -> None:
    train = tuple(Row(f"t{n}", {"q": f"t{n}"}, answer) for n, answer in enumerate("bab"))
    test = tuple(Row(f"x{n}", {"q": f"x{n}"}, answer) for n, answer in enumerate("aab"))
    assert majority(Splits(train, (), test)).right == (False, False, True)


def synset(offset: str, word: str, *above: str) -> str:
    pointers = " ".join(f"@ {each} n 0000" for each in above)
    return f"{offset} 05 n 01 {word} 0 {len(above):03d} {pointers} | a gloss\n"


def test_wordnet_from_files(tmp_path: Path) -> None:
    from pyfastlm.together.tasks.two_hops import KINDS

    data, index = ["  1 a licence\n"], ["  1 a licence\n"]
    number = 0
    roots = {}

    def add(word: str, *above: str, counted: int = 1) -> str:
        nonlocal number
        number += 1
        offset = f"{number:08d}"
        data.append(synset(offset, word, *above))
        index.append(f"{word} n 1 1 @ 1 {counted} {offset}  \n")
        return offset

    letters = "abcdefghijklmnopqrstuvwxyz"
    for kind, groups in KINDS.items():
        roots[kind] = add(kind)
        for group in groups:
            roots[group] = add(group, roots[kind])
            below = add(f"sub_{group}", roots[group])
            for n in range(45):
                add(f"{group}x{letters[n // 26]}{letters[n % 26]}", below)
    add("both", roots["bird"], roots["mammal"])
    add("uncounted", roots["bird"], counted=0)
    (tmp_path / "data.noun").write_text("".join(data))
    (tmp_path / "index.noun").write_text("".join(index))
    found = wordnet(tmp_path)
    assert Counter(row.answer for row in found.rows) == {"animal": 135, "artifact": 135, "person": 135}
    for row in found.rows:
        group = row.inputs["word"].partition("x")[0]
        assert group in KINDS[row.answer]
    assert all(list(row.inputs) == ["word"] for row in found.rows)  # the group is hidden
    assert disjoint(found.splits(0))


@pytest.mark.parametrize(
    ("name", "line"),
    [("data.noun", "00001740 03 n zz entity"), ("index.noun", "entity n 1"), ("data.noun", "x")],
)
def test_damaged_wordnet(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / "data.noun").write_text(synset("00000001", "entity"))
    (tmp_path / "index.noun").write_text("entity n 1 1 @ 1 1 00000001\n")
    with (tmp_path / name).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=f"{name}', line 2: not a line of WordNet"):
        wordnet(tmp_path)


def test_no_wordnet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file.*wordnet-base has it"):
        wordnet(tmp_path)
    (tmp_path / "data.noun").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not a file of WordNet"):
        wordnet(tmp_path)
    (tmp_path / "data.noun").write_text(synset("00000001", "entity"))
    (tmp_path / "index.noun").write_text("entity n 1 1 @ 1 1 00000001\n")
    with pytest.raises(InputError, match="expected the nouns bird"):
        wordnet(tmp_path)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("72", 72),
        ("it is $1,234.50.", 1234.5),
        ("from 3 to -4", -4),
        ("7-3", 3),
        ("no number", None),
        (".5 of it", 0.5),
        ("#### 10", 10),
        ("5 apples, 6 pears", 6),
    ],
)
def test_last_number(text: str, number: float | None) -> None:
    assert last_number(text) == number


def test_squad() -> None:
    assert squad("The  Great, Exuma!") == "great exuma"
    assert squad("an apple a day") == "apple day"
    assert same(" Setosa", "setosa")
    assert not same("setosa or virginica", "setosa")


def test_gsm8k_keeps_the_number_alone(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    lines = [{"question": f"q{n}", "answer": f"SECRET {n} steps\n#### 1,{n:03d}"} for n in range(9)]
    path.write_text("\n".join(map(json.dumps, [*lines, lines[0]])))
    task = gsm8k(path, Sizes(3, 3, 3))
    assert [row.answer for row in task.rows] == [f"1,{n:03d}" for n in range(9)]
    assert "SECRET" not in repr(task.rows)
    assert task.correct("so it is $1003.", "1,003")
    assert not task.correct("1003 or 5", "1,003")
    assert not task.correct("none", "1,003")


@pytest.mark.parametrize(
    ("read", "text", "error"),
    [
        (gsm8k, "{", "line 1: not JSON"),
        (gsm8k, "[" * 100_000, "line 1: not JSON"),
        (gsm8k, '{"question": "q"}', "line 1: expected an object with the texts"),
        (gsm8k, '{"question": "q", "answer": 3}', "line 1: expected an object"),
        (gsm8k, '\n{"question": "q", "answer": "3"}', "line 2: expected an answer that ends in '#### n'"),
        (gsm8k, '{"question": "q", "answer": "3 #### x"}', "expected an answer that ends"),
        (hotpot, "{", "is not JSON"),
        (hotpot, "[" * 100_000, "is not JSON"),
        (hotpot, "{}", "expected a list"),
        (hotpot, "[3]", "object 0: expected an object"),
        (hotpot, '[{"question": " ", "answer": "a"}]', "object 0: expected an object"),
    ],
)
def test_hostile_files(tmp_path: Path, read: type, text: str, error: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError, match=error):
        read(path)


@pytest.mark.parametrize("read", [gsm8k, hotpot])
def test_files_that_cannot_be_read(tmp_path: Path, read: type) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="is not UTF-8"):
        read(tmp_path / "bytes")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("read", "name", "count"),
    [(gsm8k, "math/gsm8k.train.jsonl", 7473), (hotpot, "qa/hotpot_dev.part_a.json", 2900)],
)
def test_real_files(read: type, name: str, count: int) -> None:
    task: Task = read(SHARED / name)
    assert len(task.rows) >= count
    assert disjoint(task.splits(0))
    assert all(task.correct(row.answer, row.answer) for row in task.rows)


def test_programs_ask_for_what_their_rows_have() -> None:
    import dspy

    from pyfastlm.together.tasks.two_hops import GROUPS, KINDS, _program

    task = iris()
    prompt = dspy.ChatAdapter().format(task.program().signature, [], dict(task.rows[0].inputs))
    assert "${" not in prompt[0]["content"]
    assert all(
        f"[[ ## {name} ## ]]\n{value}" in prompt[1]["content"] for name, value in task.rows[0].inputs.items()
    )
    modules = dict(_program().named_predictors())
    assert modules["group"].signature.output_fields["group"].annotation.__args__ == GROUPS
    assert modules["kind"].signature.output_fields["kind"].annotation.__args__ == tuple(KINDS)
    assert [*modules["kind"].signature.input_fields] == ["group"]  # it never sees the word
