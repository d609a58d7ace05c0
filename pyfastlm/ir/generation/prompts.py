"""What a language model is asked for a query of a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.encoding import utf8_length


class Example(NamedTuple):
    """A document and a query that it answers, shown in the prompt."""

    document: str
    query: str


@dataclass(frozen=True)
class Prompt:
    """The hyperparameter that is searched for.

    Attributes:
        instruction: what to write.
        cue: what the model's answer begins with; it is given, not written.
        examples: that are shown before the document. None of them may come from the gold queries.

    Raises:
        InputError, InputTypeError: the instruction or the cue is empty, or no text.
    """

    instruction: str
    cue: str = "Query:"
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        for name, text in (("instruction", self.instruction), ("cue", self.cue)):
            utf8_length(text, name)
            if not text.strip():
                raise InputError(f"{name}: expected a text, got none")
        for number, example in enumerate(self.examples):
            for text in example:
                utf8_length(text, f"examples[{number}]")

    def texts(self) -> tuple[str, ...]:
        """Everything that it says: for guards, which look for gold queries in it."""
        return (self.instruction, *(text for example in self.examples for text in example))

    def shown(self, document: str) -> str:
        """All but the cue. What is the same for all documents comes first, so that it can be shared."""
        parts = [self.instruction.strip()]
        parts += [f"Document: {each.document}\n{self.cue} {each.query}" for each in self.examples]
        return "\n\n".join([*parts, f"Document: {document}"])


def as_prompt(prompt: Prompt | str) -> Prompt:
    """``prompt`` itself, or the prompt of an instruction.

    Raises:
        InputError, InputTypeError: it is something else, or the instruction is empty.
    """
    if isinstance(prompt, str):
        return Prompt(prompt)
    if not isinstance(prompt, Prompt):
        raise InputTypeError(f"prompt: expected a Prompt or a string, got {type(prompt).__name__}")
    return prompt


def rendered(prompt: Prompt, document: str, tokenizer: Any) -> str:
    """The text that the model continues: in its chat template, if it has one.

    Raises:
        InputError: the template refuses a user's message.
    """
    shown = prompt.shown(document)
    if not getattr(tokenizer, "chat_template", None):
        return f"{shown}\n{prompt.cue}"
    try:
        asked: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": shown}], tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # templates raise what they like
        raise InputError(f"prompt: the chat template refuses it: {error}") from error
    return asked + prompt.cue


def shortened(documents: Sequence[str], tokenizer: Any, tokens: int) -> list[str]:
    """The first ``tokens`` tokens of each document, without what the tokenizer would take for special ones.

    A document could else end its message and write the answer itself.
    """
    found = []
    for document in documents:
        for special in tokenizer.all_special_tokens:
            document = document.replace(special, " ")
        ids = tokenizer(document, add_special_tokens=False, verbose=False)["input_ids"]
        cut = tokenizer.decode(ids[:tokens], clean_up_tokenization_spaces=False)
        found.append(document if len(ids) <= tokens else cut)
    return found
