"""A trained filter: probabilities of pages, and its two files."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.selection.filtering import fast_text, hashed, hashing
from pyfastlm.selection.filtering.calibration import Calibration
from pyfastlm.selection.filtering.fast_text import FastTextModel
from pyfastlm.selection.filtering.filter_report import FilterReport
from pyfastlm.selection.filtering.hashed import HashedModel
from pyfastlm.selection.filtering.one_line import one_line

FORMAT = "pyfastlm.filter"
VERSION = 1
MAX_HEAD_BYTES = 16 << 20
StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class PageFilter:
    """A filter of pages; get one from :func:`train_filter` or :meth:`open`.

    Attributes:
        model: the classifier behind it, whose ``margins`` are calibrated to probabilities.
        calibration: the curve from margins to probabilities, fitted on pages that were not trained on.
        report: what was learned from, and how well.
    """

    model: "HashedModel | FastTextModel" = field(repr=False)
    calibration: Calibration
    report: FilterReport = field(repr=False)

    reads = "text"

    @property
    def kind(self) -> str:
        """``"hashed"`` or ``"fasttext"``."""
        return self.model.kind

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [n] that pages with these texts are of an included domain.

        Raises:
            InputTypeError: one of them is no string.
            InputError: one of them has a lone surrogate.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputTypeError("texts: expected a list of strings")
        for number, text in enumerate(texts):
            try:
                text.isascii() or text.encode()
            except UnicodeEncodeError as error:
                raise InputError(
                    f"texts: text {number} has a lone surrogate at character {error.start}"
                ) from None
        return self.calibration(self.model.margins([one_line(text) for text in texts]))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over everything that decides a score."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "weights"
            self.model.save(path)
            return _fingerprint(self._settings(), _sha256(path))

    def _settings(self) -> dict[str, Any]:
        settings = self.model.settings()
        return {
            "kind": self.kind,
            "hashing": hashing.VERSION,
            "settings": settings,
            "calibration": self.calibration._asdict(),
        }

    def save(self, path: StrPath) -> Path:
        """Write ``path``, a JSON file, and its weights beside it in ``<stem>.<digits>.bin``.

        ``path`` appears last and by an atomic rename; weights of an earlier filter are then removed. Those
        of fastText are a model that fastText reads.

        Raises:
            InputError: ``path`` is no name in a directory, or of a file that is no filter.
            OSError: it cannot be written.
        """
        target = Path(path)
        before = refuse_others(target)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            self.model.save(temporary)
            digest = _sha256(temporary)
            weights = target.with_name(f"{target.stem}.{digest[:12]}.bin")
            size = temporary.stat().st_size
            os.replace(temporary, weights)
        finally:
            temporary.unlink(missing_ok=True)
        fsync_directory(target.parent)
        head = {
            "format": FORMAT,
            "version": VERSION,
            **self._settings(),
            "weights": {"file": weights.name, "bytes": size, "sha256": digest},
            "report": asdict(self.report),
        }
        with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
            file.write(json.dumps(head, indent=1).encode() + b"\n")
        if before is not None and before != weights.name:
            target.with_name(before).unlink(missing_ok=True)
        self.__dict__["fingerprint"] = _fingerprint(self._settings(), digest)
        return target

    @classmethod
    def open(cls, path: StrPath) -> "PageFilter":
        """A filter that :meth:`save` wrote; size, checksum and structure of its weights are checked.

        Raises:
            InputError: the files cannot be read, are damaged, or are something else.
            MissingExtra: its classifier is not installed.
        """
        target, shown = Path(path), os.fspath(path)
        try:
            head = _head(target)
        except OSError as error:
            raise InputError(f"path: cannot read {shown!r}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"path: {shown!r} is no filter: {error}") from None
        return _opened(cls, target, head)


def _opened(cls: type[PageFilter], target: Path, head: dict[str, Any]) -> PageFilter:
    shown = os.fspath(target)
    try:
        noted = head["weights"]
        name, size, digest = str(noted["file"]), noted["bytes"], str(noted["sha256"])
        calibration = Calibration(*(float(head["calibration"][name]) for name in Calibration._fields))
        report = FilterReport.from_dict(head["report"])
        kind, settings = head["kind"], dict(head["settings"])
        if head["hashing"] != hashing.VERSION and kind == hashed.KIND:
            raise InputError(f"path: {shown!r} hashes words in another way; train it again")
        if not (np.isfinite(calibration).all() and calibration.slope > 0):
            raise InputError(f"path: {shown!r}: expected a calibration with a slope above 0")
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"path: {shown!r} is a damaged filter: {error!r}") from None
    if name != Path(name).name or not name.endswith(".bin"):
        raise InputError(f"path: {shown!r} names weights elsewhere: {name!r}")
    weights = target.with_name(name)
    try:
        if weights.stat().st_size != size:
            raise InputError(f"path: {name!r}: expected {size} bytes, got {weights.stat().st_size}")
        if _sha256(weights) != digest:
            raise InputError(f"path: {name!r} is damaged: its checksum is not that of {target.name!r}")
    except OSError as error:
        raise InputError(f"path: cannot read {os.fspath(weights)!r}: {error.strerror or error}") from None
    if kind == hashed.KIND:
        model: HashedModel | FastTextModel = hashed.opened(weights, settings)
    elif kind == fast_text.KIND:
        model = fast_text.opened(weights)
    else:
        raise InputError(f"path: {shown!r} is a filter of an unknown kind {kind!r}")
    found = cls(model, calibration, report)
    # Known from the file, so it need not be computed.
    found.__dict__["fingerprint"] = _fingerprint(found._settings(), digest)
    return found


def _head(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_HEAD_BYTES:
        raise InputError(f"path: {os.fspath(path)!r} is no filter: it is too long")
    head = json.loads(path.read_bytes())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError(f"path: {os.fspath(path)!r} is no filter")
    if head.get("version") != VERSION:
        raise InputError(
            f"path: {os.fspath(path)!r} has version {head.get('version')!r}, this reads {VERSION}"
        )
    return head


def refuse_others(path: Path) -> str | None:
    """Refuse a file at ``path`` that is no filter; returns the name of the weights of one that is.

    Raises:
        InputError: ``path`` exists and is no filter, or its directory does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"output: expected a file in a directory that exists, got {os.fspath(path)!r}")
    try:
        return Path(str(_head(path)["weights"]["file"])).name
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"output: {os.fspath(path)!r} exists and is no filter; remove or rename it"
        ) from None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(settings: dict[str, Any], digest: str) -> str:
    text = json.dumps([settings, digest], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
