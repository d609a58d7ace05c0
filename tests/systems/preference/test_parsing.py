"""What is read out of a reviser's text, and why other texts are refused."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.preference.asking import Completion
from pyfastlm.preference.builders import Reason
from pyfastlm.preference.revising import Refusal, Revision, RevisionPrompt, parse
from pyfastlm.preference.revising.parsing import holds_marker
from pyfastlm.preference.revising.prompt import TEMPLATE, written

REAL = Path(__file__).parents[4] / "shared" / "data" / "preference" / "clair_gpt4_20.jsonl"
TASK, ORIGINAL = "Say something.", "The cat sit on the mat."
BETTER = "The cat sits on the mat."


def text_of(completion: str | Completion, original: str = ORIGINAL, **options: Any) -> str:
    found = parse(completion, TASK, original, **options)
    assert isinstance(found, Revision), found
    return found.text


def reason_of(completion: str | Completion, original: str = ORIGINAL, **options: Any) -> Reason:
    found = parse(completion, TASK, original, **options)
    assert isinstance(found, Refusal), found
    return found.reason


MARKERS = [
    "{corrected_student_solution}\n",
    "{corrected_student_solution}: ",
    "{corrected_student_solution}:\n\n",
    "corrected_student_solution:",
    "corrected_student_solution\n",
    "**{corrected_student_solution}**\n",
    "**{corrected_student_solution}:**\n",
    "**corrected_student_solution**: ",
    "### {corrected_student_solution}\n",
    "`corrected_student_solution`:\n",
    "> {{corrected_student_solution}} : ",
    "  {corrected_student_solution} ",
]


@pytest.mark.parametrize("marker", MARKERS)
def test_markers(marker: str) -> None:
    for before in ("", "{teacher_reasoning}\nIt must be sits.\n\n"):
        for after in ("", "\n", "  \n\n"):
            assert text_of(f"{before}{marker}{BETTER}{after}") == BETTER


@pytest.mark.parametrize(
    "wrapped",
    [f'"{BETTER}"', f"“{BETTER}”", f"'{BETTER}'", f"{{{BETTER}}}", f"`{BETTER}`", f"```\n{BETTER}\n```",
     f"~~~text\n{BETTER}\n~~~", f"````markdown\n{BETTER}\n\n````"],
)  # fmt: skip
def test_one_wrapping_is_taken_off(wrapped: str) -> None:
    assert text_of(written(wrapped)) == BETTER
    assert text_of(f"{{corrected_student_solution}}: {wrapped}") == BETTER


@pytest.mark.parametrize(
    ("original", "revised"),
    [
        ('"Yes", he say.', '"Yes", he says.'),
        ('He says: "yes".', '"Yes", he said, "no".'),
        ("print(1, 2", "```python\nprint(1, 2)\n```"),
        ("```\nprint(1\n```", "```\nprint(1)\n```"),
        ("```a```", "```a```\n```b```"),
        ("{'a': 1", "{'a': 1}"),
        ("'tis", "'tis good'"),
        ("**Bold** stuff", "**Bold** thing"),
        ("x * y", "* y\n* x"),
    ],
)
def test_what_belongs_to_the_answer_stays(original: str, revised: str) -> None:
    assert text_of(written(revised), original) == revised


def test_the_last_marker_at_a_line_start_counts() -> None:
    before = (
        "{teacher_reasoning}\nI will write the {corrected_student_solution} below.\n"
        "{corrected_student_solution}\nA first try.\n\nOn second thoughts:\n"
    )
    found = parse(f"{before}{{corrected_student_solution}}:\n{BETTER}", TASK, ORIGINAL)
    assert found == Revision(BETTER, before.partition("\n")[2].strip())


def test_prose_that_begins_with_the_name_is_no_marker() -> None:
    prose = "corrected_student_solution is what follows.\n"
    assert reason_of(prose + BETTER) is Reason.NO_MARKER
    assert text_of(f"{{corrected_student_solution}}\n{BETTER}") == BETTER
    assert reason_of(f"Here: {{corrected_student_solution}}: {BETTER}") is Reason.NO_MARKER
    for braces in ("{%s: ", "%s}: ", "{{%s}: "):
        assert reason_of(braces % "corrected_student_solution" + BETTER) is Reason.NO_MARKER


def test_white_space_around_the_original_is_kept() -> None:
    assert text_of(written(BETTER), f"  {ORIGINAL}\n\n") == f"  {BETTER}\n\n"


REFUSED: list[tuple[str | Completion, Reason]] = [
    ("", Reason.EMPTY),
    (" \n\t", Reason.EMPTY),
    (written(""), Reason.EMPTY),
    (written('""'), Reason.EMPTY),
    (written("```\n\n```"), Reason.EMPTY),
    ("lorem ipsum", Reason.NO_MARKER),
    (BETTER, Reason.NO_MARKER),
    ("{teacher_reasoning}\nIt is all wrong.", Reason.NO_MARKER),
    ("{Corrected solution}\n" + BETTER, Reason.NO_MARKER),
    (written(ORIGINAL), Reason.UNCHANGED),
    (written(ORIGINAL.replace(" ", "\n  ")), Reason.UNCHANGED),
    (written(f'"{ORIGINAL}"'), Reason.UNCHANGED),
    (written(BETTER * 4), Reason.TOO_LONG),
    (written(f"Revised: {BETTER}"), Reason.MENTIONS),
    (written(f"{BETTER} (corrected)"), Reason.MENTIONS),
    (written(f"{BETTER} Student's answer."), Reason.MENTIONS),
    (written(f"{BETTER}\n\n{{task}}\nAnother"), Reason.MENTIONS),
    (written(f"{BETTER}\n\n{{student_solution}}\n"), Reason.MENTIONS),
    (written(f"{BETTER}\n\n{{teacher_reasoning}}\n"), Reason.MENTIONS),
    (written("```python\nprint(1)"), Reason.CUT_OFF),
    (Completion(written(BETTER), finished=False), Reason.CUT_OFF),
    (Completion("", error="no reply"), Reason.FAILED),
]


@pytest.mark.parametrize(("completion", "reason"), REFUSED)
def test_refused(completion: str | Completion, reason: Reason) -> None:
    assert reason_of(completion) is reason


def test_the_longest_is_a_limit_and_can_be_moved() -> None:
    assert text_of(written("x" * 30), "y" * 10) == "x" * 30
    assert reason_of(written("x" * 31), "y" * 10) is Reason.TOO_LONG
    assert text_of(written("x" * 99), "y" * 10, max_ratio=9.9) == "x" * 99


def test_words_of_the_task_and_the_original_may_be_said() -> None:
    assert isinstance(parse(written("A Revision helps."), "What is a revision?", "A thing."), Revision)
    assert isinstance(parse(written("Errors get corrected."), "x", "Errors is corrected."), Revision)


def test_code_that_was_open_may_stay_open() -> None:
    assert text_of(written("```\nprint(2)"), "```\nprint(1)") == "```\nprint(2)"


def test_the_prompt_says_all_and_copies_literally() -> None:
    prompt = RevisionPrompt("Is {x} 5?\n", "No, <task> {student_solution} is <solution>.")
    assert (prompt.task, prompt.solution) == ("Is {x} 5?\n", "No, <task> {student_solution} is <solution>.")
    assert str(prompt).count("Is {x} 5?\n") == str(prompt).count(prompt.solution) == 1
    for name in ("{task}", "{student_solution}", "{teacher_reasoning}", "{corrected_student_solution}"):
        assert name in TEMPLATE
    assert prompt == str(prompt)
    for copied in (copy.copy(prompt), pickle.loads(pickle.dumps(prompt))):
        assert (copied, copied.task, copied.solution) == (prompt, prompt.task, prompt.solution)
    assert holds_marker("x\n{corrected_student_solution}\ny")
    assert not holds_marker("x {corrected_student_solution} y")


PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(PLAIN, PLAIN, PLAIN, st.booleans())
def test_anything_gives_a_revision_or_a_reason(task: str, original: str, text: str, marked: bool) -> None:
    found = parse(written(text) if marked else text, task, original or "x")
    if isinstance(found, Revision):
        assert found.text.strip()
        assert found.text.split() != original.split()
        assert len(found.text.strip()) <= 3 * len((original or "x").strip())
        assert found.text.strip() in text
    else:
        assert found.reason in Reason


WORDS = st.lists(
    st.sampled_from(["the", "a", "cat", "{x}", "*y*", "“z”", "5:", "`code`"]), min_size=2, max_size=9
)


@given(WORDS, WORDS, PLAIN)
def test_what_is_written_is_read_back(old: list[str], new: list[str], reasoning: str) -> None:
    original, revised = " ".join(["so", *old]), " ".join(["so", *new])
    found = parse(written(revised, f"- {reasoning}"), "x", original, max_ratio=100)
    if old == new:
        assert found == Refusal(Reason.UNCHANGED)
    else:
        assert isinstance(found, Revision)
        assert found.text == revised
        assert found.rational == f"- {reasoning}".strip()


def test_long_hostile_texts_take_no_time() -> None:
    for part in ("{corrected_student_solution", "\n" + " " * 50, "```\n", "*" * 99, "> # ", '"{', "student "):
        parse(part * 20_000, TASK, ORIGINAL)
        parse(written(part * 20_000), TASK, ORIGINAL, max_ratio=float("inf"))


@pytest.mark.skipif(not REAL.exists(), reason="needs shared/data/preference/clair_gpt4_20.jsonl")
def test_real_revisions_by_a_strong_model() -> None:
    rows = [json.loads(line) for line in REAL.read_text().splitlines()]
    refused = {}
    for number, row in enumerate(rows):
        found = parse(row["raw_completion"], row["prompt"], row["rejected"])
        if isinstance(found, Refusal):
            refused[number] = found
            continue
        assert found.text.strip() == row["chosen"].strip()
        assert found.rational
        assert not found.rational.startswith((":", "{"))
    # Two tell the reader of "a corrected approach", and "this corrected solution"; one is 4.8 times as long.
    assert {number: found.reason for number, found in refused.items()} == {
        0: Reason.MENTIONS,
        9: Reason.MENTIONS,
        12: Reason.TOO_LONG,
    }
