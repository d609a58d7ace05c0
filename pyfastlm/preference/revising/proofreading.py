"""A reviser for models that are too small for the prompt of CLAIR."""

import json

from pyfastlm.errors import InputError
from pyfastlm.preference.asking.batches import ask
from pyfastlm.preference.asking.completion import Completion, Writer
from pyfastlm.preference.asking.identity import identity
from pyfastlm.preference.revising.prompt import RevisionPrompt, written

PROMPT = """\
Correct the spelling and grammar of this text. Write only the corrected text, and change nothing else.

{solution}"""


class Proofreader:
    """Asks a writer, in a sentence, to mend spelling and grammar, and puts what it writes into CLAIR's form.

    The writer sees neither the task nor any identifier and gives no reasons, so that it can mend the form of
    an answer and not what is wrong in it.

    Args:
        writer: such as :class:`HFReviser`.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.batch_size: int = getattr(writer, "batch_size", 8)

    @property
    def identity(self) -> str:
        """That of the writer, and what it is asked."""
        return json.dumps(["proofreader", PROMPT, identity(self._writer)])

    def __call__(self, prompts: list[str]) -> list[Completion]:
        """Ask for each prompt.

        Raises:
            InputError: one is no :class:`RevisionPrompt`.
        """
        if wrong := [each for each in prompts if not isinstance(each, RevisionPrompt)]:
            raise InputError(f"prompts: expected RevisionPrompt, got {type(wrong[0]).__name__}")
        asked = [
            PROMPT.format(solution=each.solution) for each in prompts if isinstance(each, RevisionPrompt)
        ]
        found = ask(self._writer, asked, batch_size=max(1, len(asked)))
        return [
            each._replace(text=written(each.text)) if each.text.strip() and not each.error else each
            for each in found
        ]
