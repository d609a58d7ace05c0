"""A comparison that is killed goes on where it was, and ends as an undisturbed one."""

import errno
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from searches import TERMS, sample_rows

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.lm import load
from pyfastlm.qac import Popularity, Query, compare, comparison, one_prefix, write_amazonqac
from pyfastlm.qac.comparison import ENGINES, QUICK, Comparison
from pyfastlm.qac.recalled import CHUNK
from pyfastlm.qac.saved_answers import NAME

ROWS = one_prefix(sample_rows(60, seed=4))
LATER = one_prefix(sample_rows(30, seed=5))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(TERMS.items(), tmp_path_factory.mktemp("saved") / "terms")


def same(found: Comparison) -> list[Any]:
    """Everything but the times."""
    whole = found.as_dict()
    for engine in whole["engines"]:
        del engine["milliseconds"]
    return [repr(whole), *(row.report.ranks.tolist() for row in found.rows)]


class Counting(Popularity):
    """Writes down what it is asked."""

    def __init__(self, index: TermIndex, asked: list[Query]) -> None:
        super().__init__(index, context=True)
        self.asked = asked

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        self.asked += queries
        return super().answers(queries, k)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    """What the stand-in for "context" was asked."""
    asked: list[Query] = []
    monkeypatch.setitem(ENGINES, "context", lambda parts: Counting(parts.index, asked))
    return asked


def test_a_second_call_makes_and_asks_nothing(
    index: TermIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = compare(index, ROWS)
    first = compare(index, ROWS, saved=tmp_path / "new" / "run")
    monkeypatch.setattr(comparison, "ENGINES", dict.fromkeys(ENGINES, lambda parts: pytest.fail("made")))
    again = compare(index, ROWS, saved=tmp_path / "new" / "run")
    assert same(first) == same(again) == same(expected)
    assert [row.milliseconds for row in again.rows] == [row.milliseconds for row in first.rows]
    fewer = compare(index, ROWS, ["context"], controls=False, saved=tmp_path / "new" / "run")
    monkeypatch.undo()
    assert same(fewer) == same(compare(index, ROWS, ["context"], controls=False))


def test_cut_anywhere_only_what_is_missing_is_asked(
    index: TermIndex, tmp_path: Path, asked: list[Query]
) -> None:
    expected = same(compare(index, ROWS, ["context"], saved=tmp_path))
    whole = (tmp_path / NAME).read_bytes()
    both = asked[:]
    assert len(both) == 2 * len(ROWS)
    places = [0, 5, 100, whole.index(b"\n") + 1, len(whole) - 1]
    for place in [*places, *random.Random(0).sample(range(len(whole)), 6)]:
        torn = b"\x00\xff" if place > 100 else b""
        (tmp_path / NAME).write_bytes(whole[:place] + torn)
        lines = (tmp_path / NAME).read_bytes().split(b"\n")[:-1]
        asked.clear()
        assert same(compare(index, ROWS, ["context"], saved=tmp_path)) == expected
        had = [json.loads(line) for line in lines]
        known = sum(len(r["answers"]) for r in had if r.get("engine", "").startswith("context"))
        assert asked == both[known:]


def test_further_engines_join(index: TermIndex, tmp_path: Path, asked: list[Query]) -> None:
    compare(index, ROWS, ["context"], saved=tmp_path)
    asked.clear()
    found = compare(index, ROWS, QUICK, saved=tmp_path)
    assert asked == []
    assert same(found) == same(compare(index, ROWS, QUICK))


KILLED = """
import sys, time
from pyfastlm.cli.app import run
from pyfastlm.qac import Popularity
from pyfastlm.qac.comparison import ENGINES

class Slow(Popularity):
    def answers(self, queries, k):
        time.sleep(0.02)
        with open(sys.argv[1], "a") as file:
            file.writelines(f"{query!r}\\n" for query in queries)
        return super().answers(queries, k)

ENGINES["context"] = lambda parts: Slow(parts.index, context=True)
sys.exit(run(["qac", "eval", *sys.argv[2:]]))
"""


def test_the_command_survives_kill_9(index: TermIndex, tmp_path: Path) -> None:
    rows = one_prefix(sample_rows(300, seed=6))
    write_amazonqac(rows, tmp_path / "test.parquet")
    log, directory = tmp_path / "asked", tmp_path / "run"
    arguments = [tmp_path / "test.parquet", "-i", index._path, "--engines", "context", "--json"]
    saved = [*arguments, "--save", directory]

    def started(log: Path, arguments: list[Any]) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", KILLED, *map(str, [log, *arguments])]
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def printed(process: "subprocess.Popen[str]") -> Any:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        found = json.loads(out)
        assert all(engine.pop("milliseconds") >= 0 for engine in found["engines"])
        return found

    expected = started(tmp_path / "others", arguments)
    for chunks in (3, 9):
        process = started(log, saved)
        before = lines_of(log)
        while process.poll() is None and lines_of(log) < before + chunks * CHUNK:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    assert printed(started(log, saved)) == printed(expected)
    # At each kill one chunk may have been answered and not yet saved.
    assert 2 * len(rows) <= lines_of(log) <= 2 * len(rows) + 2 * CHUNK
    asked = lines_of(log)
    assert printed(started(log, saved))["engines"]
    assert lines_of(log) == asked


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
def test_models_are_loaded_and_fine_tuned_only_for_what_is_missing(
    index: TermIndex, tiny_lm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"k": 2, "lm": tiny_lm_dir, "earlier": LATER, "saved": tmp_path}
    rows = ROWS[: CHUNK + 2]
    engines = ["rerank", "tuned rerank", "tuned"]
    expected = compare(index, rows, engines, **given | {"saved": None})
    first = compare(index, rows, engines, **given)
    assert same(first) == same(expected)
    assert set(first.weights) == {"rerank", "tuned rerank"}
    assert first.loss
    whole = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join(whole[: len(whole) // 2]) + b"{")
    assert same(compare(index, rows, engines, **given)) == same(expected)
    # The last engine is a tuned one, and neither is the model trained nor are weights fitted again for it.
    (tmp_path / NAME).write_bytes(b"".join(whole[:-1]))
    with monkeypatch.context() as patched:
        patched.setattr("pyfastlm.qac.reranker.SessionReranker.fit", lambda *_: pytest.fail("fitted"))
        patched.setattr("pyfastlm.qac.finetuning.finetune", lambda *_, **__: pytest.fail("trained"))
        assert same(compare(index, rows, engines, **given)) == same(expected)
    # Killed between the model and the line that says so, or while the model was written.
    told = next(number for number, line in enumerate(whole) if line.startswith(b'{"loss"'))
    (tmp_path / NAME).write_bytes(b"".join(whole[:told]))
    (tmp_path / "tuned" / "model.safetensors").write_bytes(b"half")
    (tmp_path / "tuned.tmp").mkdir()
    assert same(compare(index, rows, engines, **given)) == same(expected)
    monkeypatch.setattr("pyfastlm.lm.loading.load", lambda _: pytest.fail("loaded"))
    assert same(compare(index, rows, engines, **given)) == same(expected)
    # Without engines that were fitted and fine-tuned, nothing is said of that.
    assert compare(index, rows, ["typos"], **given).weights == {}
    assert compare(index, rows, ["typos"], **given).loss == ()


@pytest.mark.slow
def test_another_fine_tuned_model_is_refused(index: TermIndex, tiny_lm_dir: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"k": 2, "lm": tiny_lm_dir, "earlier": LATER[:20], "saved": tmp_path}
    expected = same(compare(index, ROWS[:4], ["tuned rerank"], **given))
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)[:-1]
    weights = tmp_path / "tuned" / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", whole[:-1000], whole[:-1] + bytes([whole[-1] ^ 1])):
        (tmp_path / NAME).write_bytes(b"".join(lines))
        weights.write_bytes(damaged)
        with pytest.raises(InputError, match=r"saved: cannot load .*; remove it, and it is trained again"):
            compare(index, ROWS[:4], ["tuned rerank"], **given)
    shutil.rmtree(weights.parent)
    assert same(compare(index, ROWS[:4], ["tuned rerank"], **given)) == expected
    shutil.rmtree(weights.parent)
    name = json.loads(next(line for line in lines if line.startswith(b'{"loss"')))["fingerprint"]
    (tmp_path / NAME).write_bytes(b"".join(lines).replace(name.encode(), b"0" * 32))
    with pytest.raises(InputError, match=r"saved: .* was made with another fine-tuned model"):
        compare(index, ROWS[:4], ["tuned rerank"], **given)


OTHERS: dict[str, tuple[str, Callable[[TermIndex, Path], dict[str, Any]]]] = {
    "rows": ("another rows", lambda index, path: {"rows": LATER}),
    "a term": ("another rows", lambda index, path: {"rows": [ROWS[0]._replace(term="x"), *ROWS[1:]]}),
    "k": (r"another k \(then 10, now 3\)", lambda index, path: {"k": 3}),
    "seed": ("another seed", lambda index, path: {"seed": 1}),
    "a score": (
        "another index",
        lambda index, path: {"index": TermIndex.build([*TERMS.items(), ("日傘", 4.0)], path / "other")},
    ),
    "the form": (
        "another index",
        lambda index, path: {
            "index": TermIndex.build(TERMS.items(), path / "other", normalizer="nfkc_casefold")
        },
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_comparison_is_refused(what: str, index: TermIndex, tmp_path: Path) -> None:
    given: dict[str, Any] = {"index": index, "rows": ROWS, "engines": ["typos"], "saved": tmp_path / "run"}
    compare(**given)
    before = (tmp_path / "run" / NAME).read_bytes()
    message, changed = OTHERS[what]
    with pytest.raises(InputError, match=f"saved: .* was made with {message}.*; give the same, or"):
        compare(**given | changed(index, tmp_path))
    assert (tmp_path / "run" / NAME).read_bytes() == before


def test_the_same_terms_in_another_file_are_the_same_index(
    index: TermIndex, tmp_path: Path, asked: list[Query]
) -> None:
    compare(index, ROWS, ["context"], saved=tmp_path)
    asked.clear()
    copy = TermIndex.build(reversed(TERMS.items()), tmp_path / "copy")
    compare(copy, ROWS, ["context"], saved=tmp_path)
    assert asked == []
    copy.add("red", 1.0)
    with pytest.raises(InputError, match="another index"):
        compare(copy, ROWS, ["context"], saved=tmp_path)


def test_another_model_is_refused_by_those_that_read_it(
    index: TermIndex, tiny_lm_dir: Path, tmp_path: Path
) -> None:
    rows, given = ROWS[:10], {"k": 2, "saved": tmp_path / "run", "earlier": LATER}
    with pytest.raises(InputError, match="no such file"):
        compare(index, rows, ["rerank"], lm="/no/such/model", **given)
    moved = tmp_path / "moved"
    moved.symlink_to(tiny_lm_dir)
    compare(index, rows, ["rerank"], lm=moved, **given)  # a wrong name does not stick
    compare(index, rows, ["typos"], lm="other", **given | {"earlier": ()})
    with pytest.raises(InputError, match="another lm"):
        compare(index, rows, ["rerank"], lm="other", **given)
    with pytest.raises(InputError, match="another lm"):
        compare(index, rows, ["generate"], lm=load(tiny_lm_dir), **given)
    with pytest.raises(InputError, match="another earlier"):
        compare(index, rows, ["rerank"], lm=moved, **given | {"earlier": LATER[1:]})
    from tiny import save_tiny_lm

    moved.unlink()
    save_tiny_lm(moved, seed=7)
    with pytest.raises(InputError, match="another fingerprint"):
        compare(index, rows, ["generate"], lm=moved, **given)


def test_a_directory_in_use_is_refused(index: TermIndex, tmp_path: Path) -> None:
    with open(tmp_path / NAME, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="saved: another process works in"):
            compare(index, ROWS, saved=tmp_path)
    compare(index, ROWS, ["typos"], saved=tmp_path)


HOSTILE = [
    b"[]",
    b"null",
    b"{}",
    b"no json",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"engine": "typos", "row": 0, "normalizer": "none", "answers": [["a"]], "seconds": 0.1}',  # again row 0
    b'{"engine": "rerank", "row": 0, "normalizer": "none", "answers": [[1]], "seconds": 0.1}',
    b'{"engine": "rerank", "row": 0, "normalizer": "none", "answers": ["a"], "seconds": 0.1}',
    b'{"engine": "rerank", "row": 0, "normalizer": "odd", "answers": [["a"]], "seconds": 0.1}',
    b'{"engine": "rerank", "row": 0, "normalizer": "none", "answers": [["a"]], "seconds": NaN}',
    b'{"engine": "rerank", "row": 0, "normalizer": "none", "answers": [%s], "seconds": 0.1}'
    % b", ".join([b"[]"] * (len(ROWS) + 1)),
    b'{"engine": "rerank", "weights": [1.0, 2.0]}',
    b'{"engine": "rerank", "weights": [1.0, 2.0, "x"]}',
    b'{"loss": ["x"], "fingerprint": ""}',
    b'{"noted": "lm", "value": 1}',
]


@pytest.mark.parametrize("line", HOSTILE)
def test_a_damaged_file_is_refused_and_left_as_it_is(line: bytes, index: TermIndex, tmp_path: Path) -> None:
    compare(index, ROWS, ["typos"], saved=tmp_path)
    lines = [*(tmp_path / NAME).read_bytes().splitlines(), line]
    (tmp_path / NAME).write_bytes(b"\n".join(lines) + b"\n")
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match=f"saved: .* is damaged in line {len(lines)}; "):
        compare(index, ROWS, ["typos"], saved=tmp_path)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("text", [b"mine", b"mine\n", b"{}\n", b'{"pyfastlm qac": 1}\n', b"\x00"])
def test_a_file_of_others_is_refused_and_left_as_it_is(text: bytes, index: TermIndex, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(text)
    with pytest.raises(InputError, match=r"saved: .* is not of qac eval"):
        compare(index, ROWS, saved=tmp_path)
    assert (tmp_path / NAME).read_bytes() == text


@pytest.mark.parametrize("first", ["1", "[]", "{", '{"rows": 1}'])
def test_a_wrong_first_line(first: str, index: TermIndex, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"pyfastlm qac eval": ' + first + "}\n")
    with pytest.raises(InputError, match=r"saved: .* (is damaged in line 1|was made with another rows)"):
        compare(index, ROWS, saved=tmp_path)


def test_places_where_nothing_can_be_saved(index: TermIndex, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="saved: cannot write to"):
        compare(index, ROWS, saved=tmp_path / "file")
    with pytest.raises(InputError, match="saved: cannot write to"):
        compare(index, ROWS, saved="a\0b")
    (tmp_path / NAME).mkdir()
    with pytest.raises(InputError, match=r"saved: .* is no file"):
        compare(index, ROWS, saved=tmp_path)
    (tmp_path / NAME).rmdir()
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(InputError, match=r"saved: .* is no file"):
        compare(index, ROWS, saved=tmp_path)


def test_a_full_disk(index: TermIndex, tmp_path: Path, asked: list[Query]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=NAME) as caught:
            compare(index, ROWS, ["context"], saved=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.errno == errno.EFBIG
    had = len(asked)
    assert CHUNK < had < 2 * len(ROWS)
    found = compare(index, ROWS, ["context"], saved=tmp_path)
    assert len(asked) == 2 * len(ROWS) + CHUNK  # those that could not be saved once more
    assert same(found) == same(compare(index, ROWS, ["context"]))


def test_a_wrong_argument_does_not_stick(index: TermIndex, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="k: expected"):
        compare(index, ROWS, k=0, saved=tmp_path)
    with pytest.raises(InputError, match="rows: expected at least one"):
        compare(index, [], saved=tmp_path)
    assert compare(index, ROWS, ["typos"], saved=tmp_path).rows
