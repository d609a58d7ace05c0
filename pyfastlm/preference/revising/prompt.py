"""What a reviser reads: a task, an answer to it, and how to improve the answer with few changes.

Source: D'Oosterlinck et al., 2024 (arXiv 2408.06266), contrastive learning from AI revisions; the wording is
our own.
"""

REASONING = "teacher_reasoning"
REVISION = "corrected_student_solution"

TEMPLATE = f"""\
You are a teacher. Below are a task and the answer of a student. Improve the answer with as few changes as \
possible: make it clearer, more correct and more engaging, and copy every part that needs no correction word \
for word. The improved answer has to stand on its own: it must neither say nor hint that it is a revision.

Write two parts. Begin the first with the identifier {{{REASONING}}} on a line of its own, and explain there \
what should change and why. Begin the second with the identifier {{{REVISION}}} on a line of its own, and \
write there the whole improved answer and nothing else.

{{task}}
<task>

{{student_solution}}
<solution>

Now write {{{REASONING}}}, and after it {{{REVISION}}}.
"""


class RevisionPrompt(str):
    """The whole text, with the two that it is about, for revisers that are no language models.

    Attributes:
        task, solution: the question, and the answer to be improved.
    """

    __slots__ = ("solution", "task")

    task: str
    solution: str

    def __new__(cls, task: str, solution: str) -> "RevisionPrompt":
        """Fill in the template."""
        head, middle, tail = _PARTS
        made = super().__new__(cls, f"{head}{task}{middle}{solution}{tail}")
        made.task, made.solution = task, solution
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """For copies and other processes."""
        return self.task, self.solution


_HEAD, _, _REST = TEMPLATE.partition("<task>")
_MIDDLE, _, _TAIL = _REST.partition("<solution>")
_PARTS = (_HEAD, _MIDDLE, _TAIL)


def written(revision: str, reasoning: str = "") -> str:
    """An answer in the form that the prompt asks for."""
    return f"{{{REASONING}}}\n{reasoning}\n\n{{{REVISION}}}\n{revision}"
