"""Where the parts of a job are scored: what an engine is, and the one of this process."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pyfastlm.errors import InputError
from pyfastlm.lm.files import parts, plan
from pyfastlm.lm.files.job import START_AFRESH, Job
from pyfastlm.lm.files.readers import Reader

if TYPE_CHECKING:
    from pyfastlm.lm.scorer import Scorer


class Identity(NamedTuple):
    """All of a scorer that decides a table."""

    fingerprint: str
    max_length: int
    tokens_per_batch: int

    @classmethod
    def of(cls, scorer: "Scorer") -> "Identity":
        """That of a :class:`pyfastlm.lm.Scorer`, or of what has its three attributes."""
        return cls(scorer.fingerprint, scorer.max_length, scorer.tokens_per_batch)


class Place(NamedTuple):
    """Where a part stands: its number, its hash, its file, and the bytes of the inputs up to its end."""

    number: int
    key: str
    file: str
    position: int


class Step(NamedTuple):
    """A part whose scores are on the disk; ``resumed`` if an earlier run put them there."""

    place: Place
    scores: Any
    resumed: bool


class Engine(Protocol):
    """Scores the parts of a job."""

    @property
    def identity(self) -> Identity:
        """What scores."""

    def steps(self, job: Job, reader: Reader) -> Generator[Step, None, None]:
        """All parts in the order of the inputs; each is saved in ``job.directory`` before it comes.

        Raises:
            InputError: an input is damaged, or what is saved is of other contents.
        """


class Local:
    """Scores in this process, one part after the other."""

    def __init__(self, scorer: "Scorer") -> None:
        self._scorer = scorer

    @property
    def identity(self) -> Identity:
        """See :attr:`Engine.identity`."""
        return Identity.of(self._scorer)

    def steps(self, job: Job, reader: Reader) -> Generator[Step, None, None]:
        """See :meth:`Engine.steps`."""
        for part, place, saved in planned(job, reader, self.identity.tokens_per_batch):
            scores = saved
            if scores is None:
                scores = scored(part, self._scorer)
                parts.save(scores, job.directory / place.file)
            yield Step(place, scores, resumed=saved is not None)


def planned(job: Job, reader: Reader, tokens_per_batch: int) -> Iterator[tuple[plan.Part, Place, Any | None]]:
    """The parts of a job, and the scores of those that are saved.

    Raises:
        InputError: an input is damaged, or a part is saved that the inputs do not have.
    """
    saved = {plan.prefix_of(name): name for name in job.part_names()}
    for part in plan.parts(reader, tokens_per_batch):
        key = part.key()
        file = f"{part.prefix}{key}{parts.SUFFIX}"
        found = saved.pop(part.prefix, None)
        if found not in (None, file):
            raise _other_contents(job, reader.sources[part.rows[0].source].name)
        scores = parts.load(job.directory / file) if found else None
        yield part, Place(part.number, key, file, reader.position), scores
    if saved:
        raise _other_contents(job, reader.sources[-1].name)


def scored(part: plan.Part, scorer: "Scorer") -> Any:
    """The table of a part."""
    return parts.table(part, scorer.rolling([row.text for row in part.rows if row.text is not None]))


def _other_contents(job: Job, name: str) -> InputError:
    return InputError(
        f"resume: {job.directory} holds an unfinished job with other contents of {name!r}; "
        f"restore the input, or {START_AFRESH}"
    )
