"""What there is to read in a sample of texts, and in many like it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Encoder, utf8_length
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.runner import context_length


@dataclass(frozen=True)
class TextWork:
    """Totals over texts.

    Attributes:
        documents, bytes, tokens: how many.
        read: tokens that go through the model; more than ``tokens`` where a last window reaches back.
        pairs: of a token read and one it sees: itself, or one before it in its window.
    """

    documents: float
    bytes: float
    tokens: float
    read: float
    pairs: float

    def of(self, documents: float) -> "TextWork":
        """So many documents like these."""
        factor = documents / self.documents
        per_document = (self.bytes, self.tokens, self.read, self.pairs)
        return TextWork(documents, *(each * factor for each in per_document))


def text_work(lm: LMLike, texts: Sequence[str], *, max_length: int | None = None) -> TextWork:
    """Count the tokens of texts, and what they see of each other in windows of ``max_length``.

    Args:
        lm: a :class:`pyfastlm.lm.LM` or anything :func:`pyfastlm.lm.load` takes; only its tokenizer works.
        texts: a sample of those to be scored.
        max_length: tokens that the model reads at once; the model's own context by default.

    Raises:
        InputError, InputTypeError: no text has a token, or a text is no Unicode.
    """
    model = as_lm(lm)
    longest = context_length(model, max_length)
    sizes = [utf8_length(text, f"texts[{number}]") for number, text in enumerate(texts)]
    encoder = Encoder(model.tokenizer, model.model.get_input_embeddings().weight.shape[0])
    counts = [len(tokens) for tokens in encoder.texts([*texts])]
    if not sum(counts):
        raise InputError("texts: expected at least one that is not empty")
    windows = [min(count, longest) for count in counts for _ in range(-(-count // longest))]
    return TextWork(
        documents=len(texts),
        bytes=sum(sizes),
        tokens=sum(counts),
        read=sum(windows),
        pairs=sum(size * (size + 1) // 2 for size in windows),
    )
