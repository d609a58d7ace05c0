"""Pairs by revision: what becomes of each row, what is asked, and what a run that was killed leaves."""

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.preference.asking import Completion
from pyfastlm.preference.asking.identity import identity
from pyfastlm.preference.builders import Reason
from pyfastlm.preference.builders.outcome import wilson
from pyfastlm.preference.files import read_pairs, read_rows, write_pairs
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.revising import Proofreader, RevisionPrompt, clair
from pyfastlm.preference.revising.prompt import written

ROWS = [(f"Tell me about number {n}.", f"It is an number like {n}.") for n in range(30)]


class Mender:
    """Mends one slip; writes down what it is asked."""

    batch_size = 4

    def __init__(self) -> None:
        self.asked: list[RevisionPrompt] = []
        self.batches: list[int] = []

    def __call__(self, prompts: list[str]) -> list[str]:
        given = [prompt for prompt in prompts if isinstance(prompt, RevisionPrompt)]
        self.asked += given
        self.batches.append(len(prompts))
        return [written(prompt.solution.replace("an number", "a number"), "article") for prompt in given]


def test_every_row_has_an_outcome_in_order(tmp_path: Path) -> None:
    found = clair(Mender(), ROWS, tmp_path / "answers")
    assert found.pairs == [
        PreferencePair(task, answer.replace("an ", "a "), answer, "article") for task, answer in ROWS
    ]
    assert found.statistics.rate == 1


def replying(reply: str | Completion | None) -> Callable[[list[str]], list[Any]]:
    return lambda prompts: [reply] * len(prompts)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("asdf qwer", Reason.NO_MARKER),
        ("", Reason.EMPTY),
        (None, Reason.EMPTY),
        (written(ROWS[0][1]), Reason.UNCHANGED),
        (Completion(written("It is a"), finished=False), Reason.CUT_OFF),
        (Completion("", error="no reply"), Reason.FAILED),
        ("\ud800", Reason.FAILED),
    ],
)
def test_garbage_nothing_and_the_original(reply: Any, reason: Reason, tmp_path: Path) -> None:
    found = clair(replying(reply), ROWS[:1] * 3, tmp_path / "answers")
    assert found.pairs == []
    assert [outcome.reason for outcome in found.outcomes] == [reason] * 3
    assert found.statistics.reasons == {reason: 3}
    assert found.statistics.as_dict()["reasons"] == {reason.value: 3}


def test_rows_that_cannot_be_asked_about() -> None:
    reviser = Mender()
    rows = [("x", " \n"), ("y", "{corrected_student_solution}\nboo"), ROWS[2]]
    found = clair(reviser, rows)
    assert [outcome.reason for outcome in found.outcomes] == [Reason.BLANK, Reason.AMBIGUOUS, None]
    assert len(reviser.asked) == 1


def test_what_a_reviser_raises_counts_against_one_row(tmp_path: Path) -> None:
    class Picky(Mender):
        bad = "7"

        def __call__(self, prompts: list[str]) -> list[str]:
            for prompt in prompts:
                if self.bad in getattr(prompt, "solution", ""):
                    raise KeyError("seven\nis bad")
            return super().__call__(prompts)

    picky = Picky()
    found = clair(picky, ROWS, tmp_path / "answers")
    failed = [n for n, outcome in enumerate(found.outcomes) if outcome.reason is Reason.FAILED]
    assert failed == [7, 17, 27]
    assert found.outcomes[7].detail == r"KeyError: 'seven\nis bad'"
    picky.bad, picky.asked = "no", []
    assert len(clair(picky, ROWS, tmp_path / "answers").pairs) == 30
    assert [prompt.solution for prompt in picky.asked] == [ROWS[n][1] for n in failed]


def test_what_ends_a_run() -> None:
    def ends(prompts: list[str]) -> list[str]:
        raise InputError("base_url: nobody there")

    for error in (MemoryError, KeyboardInterrupt):

        def raises(prompts: list[str], error: type[BaseException] = error) -> list[str]:
            raise error

        with pytest.raises(error):
            clair(raises, ROWS)
    with pytest.raises(InputError, match="nobody there"):
        clair(ends, ROWS)


@pytest.mark.parametrize(
    ("reviser", "message"),
    [
        (5, "reviser: expected a callable, got int"),
        (lambda prompts: ["x"], "reviser: expected 8 answers, one for each prompt, got 1"),
        (lambda prompts: "x" * len(prompts), "reviser: expected a list of texts, got str"),
        (lambda prompts: None, "reviser: expected a list of texts, got NoneType"),
        (lambda prompts: [5] * len(prompts), "reviser: expected texts, got int"),
        (lambda prompts: [b"x"] * len(prompts), "reviser: expected texts, got bytes"),
    ],
)
def test_a_reviser_that_breaks_the_protocol(reviser: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clair(reviser, ROWS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("text", "rows: expected many rows, got str"),
        ({"prompt": "x", "response": "y"}, "rows: expected many rows, got dict"),
        (5, "rows: expected many rows, got int"),
        ([ROWS[0], "ab"], r"rows: expected \(prompt, response\), or a mapping .* row 1 is 'ab'"),
        ([("a", "b", "c")], "rows: expected"),
        ([{"prompt": "x"}], "rows: row 0 has no 'response'; its keys are prompt"),
        ([("a", 5)], "rows: expected a text as 'response' of row 0, got int"),
        ([("a\ud800", "b")], "rows: 'prompt' of row 0 is no Unicode"),
    ],
)
def test_rows_that_are_none(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clair(Mender(), rows)


def test_other_settings() -> None:
    rows = [{"prompt": task, "response": answer, "id": 5} for task, answer in ROWS]
    assert clair(Mender(), rows).pairs == clair(Mender(), iter(ROWS)).pairs
    assert clair(Mender(), []).statistics.rows == 0
    reviser = Mender()
    clair(reviser, ROWS, batch_size=7)
    assert reviser.batches == [7, 7, 7, 7, 2]
    for wrong in (0, -1, float("nan")):
        with pytest.raises(InputError, match="max_ratio: expected"):
            clair(reviser, ROWS, max_ratio=wrong)
    with pytest.raises(InputError, match="batch_size: expected"):
        clair(reviser, ROWS, batch_size=0)


def test_nobody_is_asked_twice(tmp_path: Path) -> None:
    reviser, cache = Mender(), tmp_path / "answers"
    doubled = ROWS[:10] + ROWS[:10]
    assert len(clair(reviser, doubled, cache).pairs) == 20
    assert len(reviser.asked) == 10
    clair(reviser, ROWS, cache)
    assert [prompt.task for prompt in reviser.asked] == [task for task, _ in ROWS]
    assert clair(reviser, ROWS[::-1], cache).pairs == clair(reviser, ROWS).pairs[::-1]
    assert len(reviser.asked) == 60  # the last one had no cache


def test_other_answers_and_other_revisers_are_others(tmp_path: Path) -> None:
    cache = tmp_path / "answers"
    reviser = Mender()
    clair(reviser, [("x", "an number")], cache)
    clair(reviser, [("x", "an number ")], cache)
    clair(reviser, [("x\n", "an number")], cache)
    assert len(reviser.asked) == 3

    class Other(Mender):
        identity = "other"

        def revise(self, prompts: list[str]) -> list[str]:
            return self(prompts)

    other = Other()
    clair(other, [("x", "an number")], cache)
    assert len(other.asked) == 1
    assert len({*map(identity, (reviser.__call__, other.revise, other.__call__, partial(other.revise)))}) == 3
    # Functions of one name are told apart by their code, and by a name that they are given.
    for reply in (lambda prompts: [written("A")], lambda prompts: [written("B")]):
        (pair,) = clair(reply, [("x", "y y y")], cache).pairs
        assert pair.chosen == reply([""])[0][-1]
    (pair,) = clair(lambda prompts: [written("C")], [("x", "y y y")], cache, name="C").pairs
    assert pair.chosen == "C"
    (pair,) = clair(lambda prompts: [written("D")], [("x", "y y y")], cache, name="C").pairs
    assert pair.chosen == "C"


def test_a_proofreader_asks_for_form_alone(tmp_path: Path) -> None:
    asked: list[str] = []

    def mend(prompts: list[str]) -> list[Any]:
        asked.extend(prompts)
        replies = {"raise": ValueError, "none": None, "cut": Completion("Cut of", finished=False)}
        for prompt in prompts:
            if prompt.endswith("raise"):
                raise ValueError("no")
        return [replies.get(prompt.rsplit("\n")[-1], "He says {x}.") for prompt in prompts]

    rows = [("task", text) for text in ("He say {x}.", "He says {x}.", "none", "cut", "raise")]
    found = clair(Proofreader(mend), rows, tmp_path / "answers")
    assert [outcome.reason for outcome in found.outcomes] == [
        None, Reason.UNCHANGED, Reason.EMPTY, Reason.CUT_OFF, Reason.FAILED,
    ]  # fmt: skip
    assert found.pairs == [PreferencePair("task", "He says {x}.", "He say {x}.")]
    assert not any("task" in prompt for prompt in asked)
    asked.clear()
    assert clair(Proofreader(mend), rows, tmp_path / "answers") == found
    assert {prompt.rsplit("\n")[-1] for prompt in asked} == {"raise"}
    assert Proofreader(mend).identity != Proofreader(Mender()).identity
    with pytest.raises(InputError, match="prompts: expected RevisionPrompt, got str"):
        Proofreader(mend)(["plain"])


def test_a_cache_cut_anywhere_goes_on(tmp_path: Path) -> None:
    expected = clair(Mender(), ROWS, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    assert whole.count(b"\n") == 1 + 8
    write_pairs(expected, tmp_path / "expected.jsonl")
    places = [0, 1, 10, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1]
    for place in [*places, *random.Random(0).sample(range(len(whole)), 12)]:
        torn = b"\x00\xff{" if place > 40 else b""
        (tmp_path / "cut").write_bytes(whole[:place] + torn)
        kept = max(0, whole[:place].count(b"\n") - 1)
        reviser = Mender()
        found = clair(reviser, ROWS, tmp_path / "cut")
        assert found == expected
        assert len(reviser.asked) == 30 - 4 * kept
        assert (tmp_path / "cut").read_bytes() == whole
        write_pairs(found, tmp_path / "cut.jsonl")
        assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"precious\n", "is no file of answers"),
        (b"precious", "is no file of answers"),
        (b'{"answers": {}}\n', "is no file of answers"),
        (b"H" + b"[]\n", "damaged in line 2"),
        (b"H" + b"\xff\n", "damaged in line 2"),
        (b"H" + b'{"answers": {}}\n{\n', "damaged in line 3"),
        (b"H" + b'{"answers": []}\n', "damaged in line 2"),
        (b"H" + b'{"answers": {"x": ["a", true]}}\n', "damaged in line 2"),
        (b"H" + b'{"answers": {"%s": ["a", 1]}}\n' % (b"0" * 32), "damaged in line 2"),
        (b"H" + b'{"answers": {"%s": [5, true]}}\n' % (b"0" * 32), "damaged in line 2"),
        (b"H" + b'{"answers": {"%s": ["a"]}}\n' % (b"0" * 32), "damaged in line 2"),
        (b"H" + b"[" * 100_000 + b"\n", "damaged in line 2"),
    ],
)
def test_files_that_are_no_cache_are_left_alone(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    content = content.replace(b"H", b'{"pyfastlm preference answers": 1}\n', 1)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^cache: .*{message}"):
        clair(Mender(), ROWS, path)
    assert path.read_bytes() == content


def test_places_that_are_no_cache(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "cannot write"),
        ("/dev/null", "is no file"),
        (tmp_path / "no" / "x", "cannot write"),
        ("a\0b", "cannot"),
    ):
        with pytest.raises(InputError, match=f"^cache: .*{message}"):
            clair(Mender(), ROWS, path)
    with open(tmp_path / "held", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"):
            clair(Mender(), ROWS, tmp_path / "held")


KILLED = """
import sys, time
from pyfastlm.preference.revising import clair
from pyfastlm.preference.revising.prompt import written
from pyfastlm.preference.files import read_rows, write_pairs

def mend(prompts):
    time.sleep(0.01)
    with open(sys.argv[1], "a") as file:
        file.writelines(f"{prompt.task}\\n" for prompt in prompts)
    return [written(prompt.solution.replace("an number", "a number")) for prompt in prompts]

write_pairs(clair(mend, read_rows(sys.argv[2]), sys.argv[3]), sys.argv[4])
"""


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_again_and_again(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    texts = [f"It is {'an' if n % 5 else 'a'} number like {n}." for n in range(400)]
    rows.write_text(
        "".join(json.dumps({"prompt": f"{n}?", "response": t}) + "\n" for n, t in enumerate(texts))
    )

    def started(log: Path, name: str) -> "subprocess.Popen[str]":
        arguments = [
            str(each) for each in (log, rows, tmp_path / f"{name}.answers", tmp_path / f"{name}.jsonl")
        ]
        return subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stderr=subprocess.PIPE, text=True)

    undisturbed = started(tmp_path / "undisturbed", "undisturbed")
    log = tmp_path / "log"
    for batches in (2, 11):
        process = started(log, "killed")
        before = lines_of(log)
        while process.poll() is None and lines_of(log) < before + batches * 8:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed.jsonl").exists()
    for process in (undisturbed, started(log, "killed")):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    for suffix in (".jsonl", ".rejected.jsonl", ".answers"):
        assert (tmp_path / f"killed{suffix}").read_bytes() == (tmp_path / f"undisturbed{suffix}").read_bytes()
    assert len(read_pairs(tmp_path / "killed.jsonl")) == 320
    # At each kill one batch may have been answered and not yet kept.
    assert 400 <= lines_of(log) <= 416


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    clair(Mender(), ROWS[:4], path)
    real = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*answers"):
        clair(Mender(), ROWS, path)


def test_files_of_rows_and_pairs(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "é?", "answer": "an number"}\n{"question": "b", "answer": " "}\n')
    rows = read_rows(path, prompt_key="question", response_key="answer")
    found = clair(Mender(), rows)
    write_pairs(found, tmp_path / "pairs.jsonl")
    assert read_pairs(tmp_path / "pairs.jsonl") == found.pairs
    assert "é" in (tmp_path / "pairs.jsonl").read_text()
    told = json.loads((tmp_path / "pairs.rejected.jsonl").read_text())
    assert told == {"row": 2, "reason": Reason.BLANK.value, "detail": ""}
    write_pairs(clair(Mender(), rows[:1]), tmp_path / "pairs.jsonl")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pairs.jsonl", "rows.jsonl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no row"),
        (b"[]\n", "line 1: expected a JSON object, got an array"),
        (b'{"prompt": "x", "response": "y"}\n{', "line 2: invalid JSON"),
        (b'{"prompt": "x"}\n', "line 1: expected a string as 'response', got none"),
        (b'{"prompt": 5, "response": "y"}\n', "line 1: expected a string as 'prompt', got a number"),
        (b'{"prompt": "\\ud800", "response": "y"}\n', "line 1: 'prompt' is no Unicode"),
        (b"\xff\n", "line 1: not UTF-8"),
    ],
)
def test_files_that_are_no_rows(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"path: .*{message}"):
        read_rows(path)


def test_files_that_are_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        '{"prompt": "x", "chosen": "y", "rejected": "z"}\n{"prompt": "x", "chosen": "y", "rejected": "y"}\n'
    )
    with pytest.raises(InputError, match="line 2: rejected: expected another answer"):
        read_pairs(path)
    with pytest.raises(InputError, match="expected one file of JSON lines"):
        read_pairs(path.rename(tmp_path / "pairs.parquet"))


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (17, 20), (1, 1), (250, 1000)])
def test_wilson(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert wilson(0, 0) == (0, 1)


def test_types_of_errors() -> None:
    with pytest.raises(InputTypeError):
        clair(Mender(), [("a", 5)])
    answers: Sequence[Any] = [5]
    with pytest.raises(InputTypeError):
        clair(lambda prompts: answers, ROWS[:1])
