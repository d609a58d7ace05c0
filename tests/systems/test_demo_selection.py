"""The demo's section on what to train on: its domains, its tasks, its family, its page."""

import dataclasses
import gzip
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import jobs
import numpy as np
import pytest
from markup import Balanced

from pyfastlm.cli.demo_json import choice_json
from pyfastlm.cli.demo_tables import choice_table
from pyfastlm.demo import debian, domains, selection, selection_html, tasks
from pyfastlm.demo.selection import BASE, WAYS, Choice, Size
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.lm import NgramModel

SMALL = Size(12, ("jargon", "none"), 2)
LETTERS = {
    "jargon": "abcdefgh",
    "foldoc": "ijklmnop",
    "fortunes <b>work</b>": "qrstuvwx",
    "other": "adgjmpsv",
}


def made_up(letters: str, count: int = 50) -> list[str]:
    """Documents of made-up words, every second one the only one that follows: each domain has its own."""
    rng = random.Random(letters)
    words = ["".join(rng.choices(letters, k=rng.randint(4, 8))) for _ in range(150)]
    following = dict(zip(words, rng.sample(words, len(words)), strict=True))
    documents = []
    for _ in range(count):
        document = [rng.choice(words)]
        while len(document) < 120:
            document += (following[document[-1]], rng.choice(words))
        documents.append(" ".join(document))
    return documents


@pytest.fixture(scope="module")
def choice() -> Iterator[Choice]:
    with jobs.one_thread():
        yield selection.choose({name: made_up(of) for name, of in LETTERS.items()}, size=SMALL, seed=1)


def test_a_task_selects_its_own_domain_where_domains_share_no_word(choice: Choice) -> None:
    (target,) = choice.targets  # the other domain is not there
    assert target.task.name == "cloze jargon"
    assert target.place == 1
    assert choice.domains[target.selection.order()[0]] == "jargon"
    assert target.selection.allotted.sum() == choice.budget
    mean = {way: choice.mean(way, "error").mean() for way in WAYS}
    assert mean["selected"] < mean[BASE] < mean["inverted"]
    assert target.family[0] <= target.family[1]


def test_every_way_has_every_seed(choice: Choice) -> None:
    (target,) = choice.targets
    assert list(target.outcomes) == list(WAYS)
    assert {len(of) for of in target.outcomes.values()} == {2} == {choice.seeds}
    assert choice.models == 12
    assert choice.bits_per_byte.shape == choice.bytes.shape == (4,)


def test_the_same_seed_gives_the_same_numbers(choice: Choice) -> None:
    texts = {name: made_up(of) for name, of in LETTERS.items()}
    again, other = (selection.choose(texts, size=SMALL, seed=seed) for seed in (1, 2))
    assert again.targets[0].outcomes == choice.targets[0].outcomes
    assert other.targets[0].outcomes != choice.targets[0].outcomes


def test_the_page_shows_names_as_text_and_all_numbers(choice: Choice) -> None:
    html = selection_html.sections(choice)
    Balanced(html)
    assert "fortunes &lt;b&gt;work&lt;/b&gt;" in html
    assert "<b>jargon</b>" in html  # the task's own domain
    for way in WAYS:
        assert f">{way}<" in html
        assert f"{choice.mean(way, 'error').mean():.3f} ± " in html
    (target,) = choice.targets
    assert f"{target.selection.estimate.max():.2f}" in html


def test_the_numbers_for_machines(choice: Choice) -> None:
    found = json.loads(json.dumps(choice_json(choice), default=float))
    (task,) = found["tasks"]
    assert task["place"] == 1
    assert [len(of) for of in task["outcomes"].values()] == [2] * len(WAYS)
    assert sum(domain["weight"] for domain in task["domains"]) == pytest.approx(1)
    estimates = [domain["estimate"] for domain in task["domains"]]
    assert estimates == sorted(estimates, reverse=True)


def test_the_table_for_people(choice: Choice, capsys: pytest.CaptureFixture[str]) -> None:
    choice_table(choice)
    out, _ = capsys.readouterr()
    for way in WAYS:
        assert f"{choice.mean(way, 'error').mean():.3f}" in out
    assert "place of a task's own domain among 4: jargon 1" in out


def test_budgets_are_spent_to_the_byte() -> None:
    texts = ["ab", "é", "cde"]
    assert [selection._first(texts, size) for size in (0, 1, 2, 3, 4, 9)] == [
        [], ["a"], ["ab"], ["ab", ""], ["ab", "é"], ["ab", "é", "cde"],
    ]  # fmt: skip


# Tasks


def test_items_are_words_of_the_texts_in_their_places() -> None:
    documents = made_up("abcdefgh", 20)
    task = tasks.cloze("x", documents, tasks.hashes([]), 50, seed=3)
    joined = " ".join(documents)
    known = set(joined.split())
    assert len(task.items) == 50
    assert task.met == 0
    for item in task.items:
        assert item.context + item.choices[0] in joined
        assert len(item.context) >= tasks.CONTEXT
        words = [choice.split()[0] for choice in item.choices]
        assert len({*words}) == 1 + tasks.WRONG
        assert {*words} <= known
        assert len({len(word) for word in words}) == 1
        assert len({choice.split(" ", 2)[2] for choice in item.choices}) == 1
    assert task == tasks.cloze("x", documents, tasks.hashes([]), 50, seed=3)
    assert task != tasks.cloze("x", documents, tasks.hashes([]), 50, seed=4)


def test_passages_that_models_may_know_are_left_out() -> None:
    documents = made_up("abcdefgh", 20)
    task = tasks.cloze("x", documents, tasks.hashes(documents[:10]), 10_000, seed=0)
    rest = " ".join(documents[10:])
    assert 0.4 < task.met < 0.6
    assert all(item.context + item.choices[0] in rest for item in task.items)


def test_a_task_without_items_is_none() -> None:
    documents = made_up("abcdefgh", 5)
    with pytest.raises(TextsMissing, match="x has no passage that models cannot have learned"):
        tasks.cloze("x", documents, tasks.hashes(documents), 10, seed=0)


def test_a_text_is_met_by_any_window_whatever_its_blanks() -> None:
    known = tasks.hashes(["zero one two  three\nfour five six seven eight"])
    assert tasks.met("xx one two three four five six seven yy", known)
    assert not tasks.met("xx one two three fuor five six seven yy", known)
    assert not tasks.met("one two three four five six sev", known)  # 31 bytes
    assert not tasks.met("zero one two three four five six seven", tasks.hashes([]))


def test_errors_are_counted_against_the_best_wrong_choice() -> None:
    model = NgramModel.train(["the cat sat. " * 50], order=5)
    right = tasks.Item("the", (" cat", " dog", " cow", " pig"))
    wrong = tasks.Item("the", (" dog", " cat", " cow", " pig"))
    tied = tasks.Item("the", (" cat", " cat", " cow", " pig"))
    assert tasks.error(model, tasks.Task("x", (right, wrong, right, right), 0.0, ())) == 0.25
    assert tasks.error(model, tasks.Task("x", (right, wrong), 0.0, ()), most=1) == 0
    assert tasks.error(model, tasks.Task("x", (tied,), 0.0, ())) == 1


def test_a_language_model_is_asked_the_same(tiny_lm_dir: Path) -> None:
    from pyfastlm.lm import Scorer, load

    scorer = Scorer(load(tiny_lm_dir))
    item = tasks.Item("Der Zug fährt", (" heute", " morgen", " nie", " gestern"))
    bits = []
    for choice in item.choices:
        (whole, before) = scorer.rolling([item.context + choice, item.context])
        bits.append((before.logp - whole.logp) / len(choice.encode()))
    expected = float(np.argmin(bits) != 0)
    assert tasks.error(scorer, tasks.Task("x", (item,), 0.0, ())) == expected


# Texts


def archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the commands of Debian answer: by package, and by their own name."""
    found: dict[str, bytes] = {}

    def run(command: list[str], directory: str) -> bytes:
        asked = command[-1] if command[0] == "apt-get" else command[0]
        if command[0] == "dpkg-deb":
            return found[Path(command[-1]).stem]
        if asked not in found:
            raise TextsMissing(f"no {asked}")
        if command[0] == "apt-get":
            (Path(directory) / f"{asked}.deb").touch()
        return found[asked]

    monkeypatch.setattr(debian, "run", run)
    monkeypatch.setattr(domains, "run", run)
    return found


def test_domains_are_read_and_kept(packages: dict[str, bytes], tmp_path: Path) -> None:
    games = "./usr/share/games/fortunes/"
    packages["fortunes"] = archive(
        {
            f"{games}work": b"One.\n%\nTwo\nlines.\n%\n",
            f"{games}work.dat": b"\0",
            f"{games}zippy": b"Yow\n%\n",
        }
    )
    text = "head\n\n  flag\n a variable\n\nfoo\n  bar é\n"
    packages["dict-jargon"] = archive(
        {
            "./usr/share/dictd/jargon.dict.dz": gzip.compress(text.encode()),
            "./usr/share/dictd/jargon.index": b"00info\tA\tF\nfoo\ta\tN\nflag\tG\tS\nflags\tG\tS\n",
        }
    )
    packages["apt-cache"] = (
        b"Package: b\nSection: python\nDescription: second\n more\n\n"
        b"Package: a\nSection: python\nDescription-en: first\n\n"
        b"Package: a\nSection: python\nDescription-en: first\n\n"
        b"Package: c\nSection: games\nDescription: no\n\n"
        b"Section: python\nDescription: nameless\n\nPackage: d\nSection: libs\n"
    )
    found, missing = domains.domains(tmp_path)
    assert found == {
        "fortunes work": ["One.", "Two\nlines."],
        "jargon": ["flag\n a variable", "foo\n  bar é"],
        "packages python": ["b: second\na: first"],
    }
    assert missing == ["dict-foldoc: no dict-foldoc"]
    packages.clear()
    assert domains.domains(tmp_path)[0] == found


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"jargon.dict.dz": gzip.compress(b"text")},
        {"jargon.dict.dz": b"no gzip", "jargon.index": b"a\tA\tB\n"},
        {"jargon.dict.dz": gzip.compress(b"text")[:-9], "jargon.index": b"a\tA\tB\n"},
        {"jargon.dict.dz": gzip.compress(b"text"), "jargon.index": b"a\tA\n"},
        {"jargon.dict.dz": gzip.compress(b"text"), "jargon.index": b"a\t!\tB\n"},
        {"jargon.dict.dz": gzip.compress(b"text"), "jargon.index": b"\xff\tA\tB\n"},
    ],
)
def test_damaged_dictionaries(packages: dict[str, bytes], files: dict[str, bytes]) -> None:
    packages["dict-jargon"] = archive(files)
    with pytest.raises(TextsMissing, match="dict-jargon cannot be read"):
        domains.dictionary("jargon")


def test_no_list_of_packages(packages: dict[str, bytes]) -> None:
    packages["apt-cache"] = b""
    with pytest.raises(TextsMissing, match="it lists no packages; run apt-get update"):
        domains.descriptions()


def test_parts_are_whole_documents_by_their_shares() -> None:
    documents = made_up("abcdefgh", 60)
    parts = domains.split(documents, selection.PARTS)
    assert sorted(text for of in parts.values() for text in of) == sorted(documents)
    sizes = np.array([sum(map(len, of)) for of in parts.values()])
    assert np.abs(sizes / sizes.sum() - [*selection.PARTS.values()]).max() < 0.02


@pytest.mark.slow
def test_real_domains() -> None:
    from pyfastlm.lm.smollm2 import cache_dir

    found, missing = domains.domains(cache_dir() / "demo" / "domains")
    if missing:
        pytest.skip("; ".join(missing))
    assert len(found) == len(domains.QUOTES) + len(domains.DICTIONARIES) + len(domains.SECTIONS)
    assert all(sum(map(len, texts)) > 90_000 for texts in found.values())
    quick = dataclasses.replace(selection.QUICK, mixtures=4)
    chosen = selection.choose(found, size=quick, seed=0)
    assert all(0 < choice.error < 1 for of in chosen.targets[0].outcomes.values() for choice in of)
