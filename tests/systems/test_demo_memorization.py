"""The demo's section on memorisation: who is planted where, what is measured, the tables, the page."""

import dataclasses
import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pytest

from pyfastlm.cli.demo_json import memory_json
from pyfastlm.cli.demo_tables import memory_table
from pyfastlm.demo import debian, memorization_html, memorization_tables, memorization_texts
from pyfastlm.demo import memorization_plan as plan
from pyfastlm.demo.memorization import FULL, QUICK, SHORT, Memory, learn
from pyfastlm.demo.memorization_plan import TRANSFORMS, Task
from pyfastlm.demo.memorization_runs import Ran, Row
from pyfastlm.demo.memorization_world import PARTS, WINDOW, World, world
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.lm import smollm2

WORDS = ["stone", "river", "walks", "under", "seven", "quiet", "horses", "carry", "light", "toward", "winter"]


def made_up(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages as if they had been fetched: pages of made-up words, and quotations of other words."""
    path = tmp_path_factory.mktemp("cache")
    rng = random.Random(0)
    pieces = [made_up(rng, 300) for _ in range(80)]
    debian.kept("pieces-anarchism", path, lambda: pieces)
    sides = "abcdefghijklmnopqrstuvwxyz"
    quotes = [
        "fortunes work\0A " + " ".join("".join(rng.choices(sides, k=5)) for _ in range(60)) for _ in range(60)
    ]
    debian.kept("fortunes", path, lambda: quotes)
    return path


@pytest.fixture(scope="module")
def memory(cache: Path) -> Iterator[Memory]:
    with jobs.one_thread():
        yield learn(dataclasses.replace(QUICK, twins=1), cache=cache, seed=0)


# Texts


def test_sentences_share_nothing_long_with_the_text(cache: Path) -> None:
    pieces = memorization_texts.background(["anarchism"], cache)
    found = list(memorization_texts.sentences(pieces, cache, 0))
    assert len(found) == 60
    assert found != list(memorization_texts.sentences(pieces, cache, 1))
    inside = " ".join(found[0].split()[3:13])
    assert len(inside) >= 50
    again = list(memorization_texts.sentences([*pieces, f"He said: {inside}."], cache, 0))
    assert again == [text for text in found if text != found[0]]


def test_pages_become_pieces() -> None:
    page = (
        "<html><head><title>no</title></head><body><p>One &amp; two</p><script>no</script><ul><li>three</ul>"
    )
    assert memorization_texts._cut(memorization_texts._shown(page)) == ["One & two\n\nthree"]
    long = "\n\n".join(["x" * 900] * 7)
    assert [len(piece) for piece in memorization_texts._cut(long)] == [2704, 2704, 900]


def test_parts_of_the_world_are_apart(cache: Path) -> None:
    made = world(QUICK.shape, cache, 0)
    assert made.directory == world(QUICK.shape, cache, 0).directory
    streams = {part: made.stream(part) for part in PARTS}
    pieces = {part: stream.examples(np.arange(len(stream))) for part, stream in streams.items()}
    assert all(rows.shape[1] == WINDOW + 1 for rows in pieces.values())
    rows = [row.tobytes() for of_part in pieces.values() for row in of_part]
    assert len(set(rows)) == len(rows)
    assert len(made.sentences) == QUICK.shape.sentences
    assert all(len(made.tokenizer(text)["input_ids"]) > WINDOW for text in made.sentences)


def test_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TextsMissing, match="apt-get is not installed"):
        learn(QUICK, cache=tmp_path / "cache", seed=0)


# Plans


class Sentences(World):
    @property
    def sentences(self) -> list[str]:
        return [f"sentence {number}" for number in range(1000)]


@pytest.mark.parametrize("size", [QUICK, SHORT, FULL])
def test_every_level_has_its_sentences_and_no_sentence_is_twice_in_a_run(size: Any, tmp_path: Path) -> None:
    made = Sentences(tmp_path, size.shape)
    seen: Counter[tuple[str, str, int]] = Counter()
    for task in plan.tasks(size):
        planned = plan.injections(made, size, task)
        if task.group is None:
            assert planned == []
            continue
        contents = [injection.content for injection in planned]
        assert len(set(contents)) == len(contents)
        levels = Counter((injection.transform, len(injection.examples)) for injection in planned)
        assert levels == {(t, count): size.sequences for t in TRANSFORMS for count in size.repetitions}
        places = [place for injection in planned for place in injection.examples]
        assert len(set(places)) == len(places)
        assert max(places) < size.steps * size.batch_size
        assert len(places) <= size.share * size.steps * size.batch_size + 1e-9
        if task.checkpoint == size.base[0]:
            seen.update((i.transform, i.sequence, len(i.examples)) for i in planned)
        other = Task(size.base[1], task.seed, task.group)
        assert plan.injections(made, size, other) == planned
    assert set(seen.values()) == {1}
    assert plan.sentences_of(size) <= size.shape.sentences


def test_full_is_what_it_says() -> None:
    """Two checkpoints, two transforms, five levels, 16 sentences for each, three seeds, 2 % of examples."""
    planned = [task for task in plan.tasks(FULL) if task.group is not None]
    assert FULL.sequences * FULL.groups == 16
    assert FULL.repetitions == (0, 1, 10, 40, 160)
    assert {(task.checkpoint, task.seed) for task in planned[:6]} == {
        (c, s) for c in FULL.base for s in (1, 2, 3)
    }
    assert len(planned) == 24
    assert FULL.share <= 0.02


def test_the_batches_of_a_full_run_have_one_planted_example_each(tmp_path: Path) -> None:
    planned = plan.injections(Sentences(tmp_path, FULL.shape), FULL, Task(100, 1, 0))
    steps = sorted(place // FULL.batch_size for injection in planned for place in injection.examples)
    assert steps == list(range(FULL.steps))


# Results


def test_a_whole_experiment(memory: Memory) -> None:
    planted = [run for run in memory.runs if run.task.group is not None]
    assert [run.planted for run in planted] == [10] * 2
    assert all(run.share == pytest.approx(10 / (memory.size.steps * 16)) for run in planted)
    twins = [run for run in memory.runs if run.task.group is None]
    assert [run.planted for run in twins] == [0, 0]
    assert {(cell.checkpoint, cell.transform, cell.repetitions) for cell in memory.cells} == {
        (c, t, r) for c in memory.size.base for t in TRANSFORMS for r in memory.size.repetitions
    }
    for cell in memory.cells:
        assert (cell.measured, cell.low <= cell.longest <= cell.high) == (1, True)
        assert 0 <= cell.longest <= memory.limit == WINDOW + 1 - 8
        assert not math.isnan(cell.twin)
    assert memory.prompts == 25 + 17
    for run in planted:
        for row in run.rows:
            assert (row.since >= 0) == (row.repetitions > 0)
    assert "never planted" in memory.verdict


def test_the_same_seed_gives_the_same_numbers(memory: Memory, cache: Path, tmp_path: Path) -> None:
    """Also where the runs are kept, and where a second call finds them."""
    with jobs.one_thread():
        again = [learn(memory.size, cache=cache, seed=0, home=tmp_path) for _ in range(2)]
    for found in again:
        assert found.cells == memory.cells
        assert found.contrasts == memory.contrasts
    assert sorted(path.name for path in tmp_path.iterdir())[:2] == ["20-seed1-group0", "20-seed1-twin"]


def rows_of(lengths: dict[tuple[int, int], list[int]]) -> list[Ran]:
    """Runs with these lengths by checkpoint and seed, of sentences at 40 repetitions."""
    return [
        Ran(
            Task(checkpoint, seed, 0),
            tuple(
                Row(checkpoint, seed, 0, n, "original", 40, length, 0.5, 0.1, 0.2, 0, 0, 1, 3)
                for n, length in enumerate(own)
            ),
            2.0, 1.9, 0.02, 0.02, 5, 10, 1.0,
        )
        for (checkpoint, seed), own in lengths.items()
    ]  # fmt: skip


def test_tables_by_hand() -> None:
    lengths = {(100, 1): [2, 4], (100, 2): [6, 8], (6000, 1): [5, 6], (6000, 2): [7, 12]}
    cells, contrasts = memorization_tables.tables(FULL, rows_of(lengths), 0)
    early, late = cells
    assert (early.longest, late.longest) == (5.0, 7.5)
    assert (early.measured, early.sentences, early.before) == (4, 2, 1.0)
    assert math.isnan(early.twin)
    (contrast,) = contrasts
    assert contrast.difference == np.mean([3, 2, 1, 4])
    assert 2 <= early.low < 5 < early.high <= 8
    assert contrast.low > 0


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of normal values with a seed effect, 8 of each of 8 seeds."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        values = [(seed, float(value)) for seed in range(8) for value in rng.normal(rng.normal(), 1, 8)]
        low, high = memorization_tables._interval(memorization_tables._replicates(values, rng))
        covered += low <= 0 <= high
    assert 0.8 * 200 <= covered <= 0.97 * 200


# The page


def test_the_page_shows_names_as_text_and_all_numbers(memory: Memory) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    page = memorization_html.sections(memory)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for cell in memory.cells:
        assert f"<td>{cell.longest:.1f}</td>" in page
    assert page.count("twin</th>") == 1 + 2
    path = page.split('stroke-dasharray="none" d="M')[1].split('"')[0]
    across = [float(point.split()[0]) for point in path.split("L")]
    assert all(left < right for left, right in pairwise(across))
    lone = dataclasses.replace(memory, runs=memory.runs[:2])
    assert "<script" not in memorization_html.sections(lone)


def test_the_command_shows_it(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    told = memory_json(memory)
    assert json.loads(json.dumps(told, default=str))["verdict"] == memory.verdict
    memory_table(memory)
    assert memory.verdict in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_forty_repetitions_are_remembered_in_the_default_size() -> None:
    cache = smollm2.cache_dir() / "demo" / "domains"
    try:
        found = learn(SHORT, cache=cache, seed=0)
    except TextsMissing as reason:
        pytest.skip(str(reason))
    often = [cell.longest for cell in found.cells if cell.repetitions == 40]
    never = [cell.longest for cell in found.cells if cell.repetitions == 0]
    assert np.mean(often) > np.mean(never)
