"""A language model that writes a query for each document."""

import copy
import hashlib
from collections.abc import Mapping

from pyfastlm.errors import InputError
from pyfastlm.ir.generation import cache as caching
from pyfastlm.ir.generation.cleaning import cleaned, copied, normal, overlap
from pyfastlm.ir.generation.model import Model
from pyfastlm.ir.generation.prompts import Prompt, as_prompt
from pyfastlm.ir.generation.results import Generated, Rejected, SyntheticQuery
from pyfastlm.lm.continuing import continued
from pyfastlm.lm.encoding import utf8_length
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import positive
from pyfastlm.lm.sampling import Sampling

POLICY = "pyfastlm.ir queries/1"  # changes with everything here that changes what is written
KEPT_EVERY = 32  # texts, after which they are put into the cache


class QueryGenerator:
    """Asks a model for one query of each document, many at a time.

    What all prompts begin with is read once, and nothing is padded. What the model wrote is kept as it is;
    the filters look at it afterwards, so they may change without asking again.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes. It is loaded when it
            is first needed; not at all where the cache has everything and ``lm`` names a directory (or
            ``"smollm2"``) that it has seen before.
        prompt: a :class:`Prompt`, or only its instruction.
        cache: a file for what was written, by model, prompt, document and seed.
        sampling: how tokens are drawn; None takes the likeliest each time, whatever the seed.
        max_tokens: that a query may have.
        document_tokens: of a document that the model reads; the rest is cut off.
        batch_size: documents that are written for together.
        copy_limit: queries with a larger share of runs of words out of their document are left out.

    Raises:
        InputError, InputTypeError: a number is out of range, or the cache is something else.
    """

    def __init__(
        self,
        lm: LMLike,
        prompt: Prompt | str,
        *,
        cache: StrPath | None = None,
        sampling: Sampling | None = None,
        max_tokens: int = 32,
        document_tokens: int = 192,
        batch_size: int = 32,
        copy_limit: float = 0.5,
    ) -> None:
        self.prompt = as_prompt(prompt)
        if not 0 <= copy_limit <= 1:
            raise InputError(f"copy_limit: expected a number in [0, 1], got {copy_limit}")
        self.max_tokens = positive("max_tokens", max_tokens)
        self.document_tokens = positive("document_tokens", document_tokens)
        self.batch_size = positive("batch_size", batch_size)
        self.copy_limit = copy_limit
        self.sampling = sampling
        self._cache = None if cache is None else caching.Cache(cache)
        self._model = Model(lm, self._cache)

    def asking(self, prompt: Prompt | str) -> "QueryGenerator":
        """The same with another prompt; model and cache are shared.

        Raises:
            InputError, InputTypeError: it is no prompt.
        """
        other = copy.copy(self)
        other.prompt = as_prompt(prompt)
        return other

    @property
    def identity(self) -> str:
        """64 hexadecimal digits over model, prompt and settings, which decide what is written."""
        drawn = self.sampling and [self.sampling.temperature, self.sampling.top_k, self.sampling.top_p]
        prompt = [self.prompt.instruction, self.prompt.cue, self.prompt.examples]
        settings = [drawn, self.max_tokens, self.document_tokens]
        return caching.key(POLICY, self._model.fingerprint, prompt, settings)

    def generate(self, documents: Mapping[str, str], *, seed: int = 0, progress: bool = False) -> Generated:
        """One query for each document, where it passes the filters.

        Left out are, in this order: documents without words, answers without words, copies of the document,
        and queries that an earlier document has got (compared by their words).

        Args:
            documents: text by id.
            seed: of the draws; the same document gets the same query whatever is asked for with it.
            progress: show a bar on standard error.

        Raises:
            InputError, InputTypeError: a document is no text, or the prompt leaves no room in the context.
        """
        for name, text in documents.items():
            utf8_length(name, "documents: id")
            utf8_length(text, f"documents[{name!r}]")
        full = {name: text for name, text in documents.items() if normal(text)}
        keys = {name: self._key(name, text, seed) for name, text in full.items()} if self._cache else {}
        written: dict[str, str] = {}
        if self._cache is not None:
            known = self._cache.get([*keys.values()])
            written = {name: known[key] for name, key in keys.items() if key in known}
        missing = {name: text for name, text in full.items() if name not in written}
        if missing:
            written |= self._write(missing, keys, seed, progress)
        queries, rejected = self._filtered(documents, written)
        return Generated(self.prompt, tuple(queries), tuple(rejected), len(missing))

    def _filtered(
        self, documents: Mapping[str, str], written: Mapping[str, str]
    ) -> tuple[list[SyntheticQuery], list[Rejected]]:
        queries: list[SyntheticQuery] = []
        rejected: list[Rejected] = []
        seen: set[str] = set()
        for name, document in documents.items():
            if name not in written:
                rejected.append(Rejected(name, "empty document", ""))
                continue
            text = cleaned(written[name])
            share = copied(text, document)
            if not normal(text):
                rejected.append(Rejected(name, "empty", written[name]))
            elif share > self.copy_limit:
                rejected.append(Rejected(name, "copy", written[name]))
            elif normal(text) in seen:
                rejected.append(Rejected(name, "duplicate", written[name]))
            else:
                seen.add(normal(text))
                queries.append(SyntheticQuery(name, text, share, overlap(text, document)))
        return queries, rejected

    def _write(
        self, documents: Mapping[str, str], keys: Mapping[str, str], seed: int, progress: bool
    ) -> dict[str, str]:
        """What the model writes for each document; kept in the cache as it comes."""
        model = self._model
        names = [*documents]
        stream = continued(
            model.runner,
            model.prompts(self.prompt, [*documents.values()], self.document_tokens),
            ends=model.ends,
            limit=self.max_tokens,
            context=model.context,
            batch_size=self.batch_size,
            sampling=self.sampling,
            seeds=[f"{seed} {name}" for name in names],
            stop=lambda tokens: "\n" in model.text(tokens).lstrip(),  # a query is one line
        )
        written: dict[str, str] = {}
        unkept: dict[str, str] = {}
        for each in watched(stream, len(names), "queries", progress):
            name = names[each.prompt]
            written[name] = model.text(each.tokens)
            if self._cache is not None:
                unkept[keys[name]] = written[name]
                if len(unkept) == KEPT_EVERY or len(written) == len(names):
                    self._cache.put(unkept)
                    unkept = {}
        return written

    def _key(self, name: str, document: str, seed: int) -> str:
        drawn = [seed, name] if self.sampling else name
        text = hashlib.sha256(document.encode()).hexdigest()
        return caching.key(self.identity, drawn, text)
