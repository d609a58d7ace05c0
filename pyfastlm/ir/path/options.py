"""How prompts are searched."""

from dataclasses import dataclass

from pyfastlm.errors import InputError
from pyfastlm.lm.runner import positive


@dataclass(frozen=True)
class SearchOptions:
    """Options of :func:`pyfastlm.ir.optimize_prompt`.

    Attributes:
        documents: that each prompt writes for on the first rung; twice as many on each further one.
        rungs: of successive halving.
        keep: share of the prompts that goes on to the next rung, rounded up.
        seeds: of the trainings of each prompt on each rung. One is not enough to tell prompts apart on ten
            queries.
        negatives: of each query.
        depth: gold candidates that are reranked, the best by BM25; None for all.
        final_documents: that the best prompt writes for in the end; as many as on the last rung, if None.

    Raises:
        InputError, InputTypeError: an option is out of range.
    """

    documents: int = 64
    rungs: int = 2
    keep: float = 0.5
    seeds: tuple[int, ...] = (0, 1)
    negatives: int = 3
    depth: int | None = None
    final_documents: int | None = None

    def __post_init__(self) -> None:
        for name in ("documents", "rungs", "negatives"):
            positive(name, getattr(self, name))
        for name in ("depth", "final_documents"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if not 0 < self.keep <= 1:
            raise InputError(f"keep: expected a number in (0, 1], got {self.keep}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds: expected different whole numbers, at least one, got {self.seeds}")

    def documents_of(self, rung: int) -> int:
        """That each prompt writes for on a rung, from 0 up."""
        return self.documents << rung

    @property
    def final(self) -> int:
        """Documents of the last training."""
        return self.final_documents or self.documents_of(self.rungs - 1)
