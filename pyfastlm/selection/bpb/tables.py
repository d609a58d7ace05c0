"""The table of scores of each model: made once, kept beside the matrix, taken over by later runs."""

import contextlib
import fcntl
import gc
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyfastlm._durable import replacing
from pyfastlm.lm.files import RayOptions
from pyfastlm.lm.files import table as score_table
from pyfastlm.lm.files.engine import Engine, Identity, Local
from pyfastlm.lm.files.lines import json_object
from pyfastlm.lm.files.score import run
from pyfastlm.selection.bpb.catalogue import Catalogue
from pyfastlm.selection.bpb.loading import Loading, place
from pyfastlm.selection.bpb.models import Model, is_factory
from pyfastlm.selection.bpb.scorer import ModelFailed, told, write_errors

if TYPE_CHECKING:
    from pyfastlm.lm.files.ray_worker import MakeScorer
    from pyfastlm.lm.scorer import Scorer

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """A model whose documents are scored; as it is noted beside its table.

    ``table`` is the name of the file; that of an earlier model where both have the same fingerprint.
    ``seconds`` and the rest are of the run that finished it.
    """

    table: str
    fingerprint: str
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    resumed_documents: int = 0


class Tables:
    """The directory ``<output>.models``.

    With ``ray``, models are scored on workers of a cluster; it is connected to for the first model that has
    to be scored, until the block of this context manager ends.
    """

    def __init__(
        self,
        directory: Path,
        catalogue: Catalogue,
        text_key: str,
        max_length: int | None,
        tokens_per_batch: int,
        ray: RayOptions | None = None,
    ) -> None:
        self.directory, self._catalogue = directory, catalogue
        self._text_key, self._max_length, self._budget = text_key, max_length, tokens_per_batch
        self._ray, self._connection = ray, contextlib.ExitStack()
        directory.mkdir(exist_ok=True)

    def __enter__(self) -> "Tables":
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def path(self, model: Model, suffix: str) -> Path:
        """A file of ``model``: its name made harmless, and a hash that keeps names apart."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", model.label).strip(".-")[-80:]
        digest = hashlib.blake2b(model.label.encode(), digest_size=4).hexdigest()
        return self.directory / f"{plain}-{digest}{suffix}"

    @contextlib.contextmanager
    def locked(self, model: Model | None, *, wait: bool) -> Iterator[bool]:
        """Whether this process alone may work on ``model``, or the matrix for None; ``wait`` if need be."""
        with open(self.path(model, ".lock") if model else self.directory / "lock", "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def forget(self, model: Model) -> None:
        """Remove all that is kept of ``model``."""
        for suffix in (".json", ".parquet", ".rejected.jsonl", ".errors.jsonl"):
            self.path(model, suffix).unlink(missing_ok=True)
        shutil.rmtree(self.path(model, ".parquet.parts"), ignore_errors=True)

    def finished(self, model: Model) -> Scored | None:
        """What is noted of ``model``, if its table is of these inputs and settings; loads no model."""
        if is_factory(model.scorer):
            return None  # only what it makes can tell
        try:
            noted = json_object(self.path(model, ".json").read_bytes())
            scored = Scored(**noted["scored"])
            if scored.table != os.path.basename(scored.table):
                return None
            table = score_table.read_metadata(self.directory / scored.table)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if noted.get("asked") != self._asked(model) or table is None:
            return None
        if table["description"]["fingerprint"] != scored.fingerprint:
            return None
        digest = self._catalogue.digest(table["description"]["tokens_per_batch"])
        return scored if table["digest"] == digest else None

    def score(
        self,
        model: Model,
        known: Callable[[str], str | None],
        *,
        progress: bool,
    ) -> Scored:
        """Load and score ``model``, unless ``known`` has the table of one with its fingerprint.

        Raises:
            ModelFailed: it cannot be loaded, or scores nothing.
            InputError, OSError: the job cannot go on; see :func:`pyfastlm.lm.files.score_files`.
            MissingExtra: a package that it needs is not installed.
        """
        table, asked = self.path(model, ".parquet"), self._asked(model)
        engine: Engine | None = None
        try:
            engine = self._engine(model)
            fingerprint = engine.identity.fingerprint
            if (other := known(fingerprint)) is not None:
                scored = Scored(other, fingerprint)
            else:
                report = run(
                    engine,
                    [source.path for source in self._catalogue.sources],
                    table,
                    text_key=self._text_key,
                    progress=progress,
                )
                scored = Scored(
                    table.name,
                    fingerprint,
                    report.seconds,
                    report.tokens_per_second,
                    report.resumed_documents,
                )
        except MemoryError as error:
            raise ModelFailed(told(error)) from error
        finally:
            engine = None
            if model.scorer is None or is_factory(model.scorer):
                gc.collect()  # the next model needs the memory
        self._note(model, asked, scored)
        return scored

    def _engine(self, model: Model) -> Engine:
        load = Loading.of(model, self._max_length, self._budget)
        note = partial(write_errors, self.path(model, ".errors.jsonl"))
        scorer = cast("Scorer", load(note))
        if self._ray is None:
            return Local(scorer)
        from pyfastlm.lm.files.ray_cluster import connected
        from pyfastlm.lm.files.ray_engine import OnRay

        self._connection.enter_context(connected(self._ray))
        self._ray = replace(self._ray, address=None)
        identity = Identity.of(scorer)
        del scorer
        gc.collect()  # workers have models of their own
        return OnRay(identity, cast("MakeScorer", load), self._ray, note)

    def _note(self, model: Model, asked: dict[str, Any], scored: Scored) -> None:
        target = self.path(model, ".json")
        with replacing(target, target.with_suffix(f".{os.getpid()}.tmp")) as file:
            file.write(json.dumps({"format": FORMAT, "asked": asked, "scored": asdict(scored)}).encode())

    def _asked(self, model: Model) -> dict[str, Any]:
        """All that decides the scores, as far as it can be known without loading the model."""
        plain = {
            "model": place(model),
            "revision": model.revision,
            "dtype": model.dtype,
            "max_length": self._max_length,
        }
        if model.scorer is not None:
            return plain | {"fingerprint": getattr(model.scorer, "fingerprint", None)}
        return plain | {"tokens_per_batch": self._budget, "files": _files(Path(place(model)).expanduser())}


def _files(path: Path) -> list[list[Any]] | None:
    """Name, size and time of the files of a local model; None for one that is elsewhere."""
    if not path.exists():
        return None
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    stats = [(str(p.relative_to(path.parent)), p.stat()) for p in found]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
