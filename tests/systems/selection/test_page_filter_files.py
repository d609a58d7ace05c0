"""A filter's two files: what comes back, and that nothing damaged or hostile gets through."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webpages

from pyfastlm.errors import InputError
from pyfastlm.selection import FastTextOptions, HashedOptions, PageFilter, train_filter
from pyfastlm.selection.filtering import fast_text, fast_text_file
from pyfastlm.selection.filtering.one_line import one_line

OPTIONS = {
    "hashed": HashedOptions(buckets=1 << 12),
    "fasttext": FastTextOptions(dim=4, buckets=300, epochs=5),
}
TEXTS = [" ".join(webpages.SCIENCE[:30]), " ".join(webpages.GOSSIP[:30]), "", "x\ny " + "é" * 50]


def trained(kind: str, room: Path, **options: Any) -> PageFilter:
    if kind == "fasttext":
        pytest.importorskip("fasttext", reason="fastText is not installed (extra selection)")
    pages = webpages.write(room / "pages.jsonl", webpages.rows(20))
    given = {"labels": webpages.LABELS, "valid": 0.2, "options": OPTIONS[kind]} | options
    return train_filter(pages, room / "f.json", kind=kind, **given)


def weights_of(path: Path) -> Path:
    return path.with_name(json.loads(path.read_bytes())["weights"]["file"])


@pytest.fixture(params=["hashed", "fasttext"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_saved_comes_back(kind: str, tmp_path: Path) -> None:
    found = trained(kind, tmp_path)
    again = PageFilter.open(tmp_path / "f.json")
    assert again.score(TEXTS).tolist() == found.score(TEXTS).tolist()
    assert (again.kind, again.fingerprint, again.calibration) == (kind, found.fingerprint, found.calibration)
    assert again.report == found.report
    other = tmp_path / "other"
    other.mkdir()
    again.save(other / "g.json")
    assert PageFilter.open(other / "g.json").fingerprint == found.fingerprint
    assert weights_of(other / "g.json").read_bytes() == weights_of(tmp_path / "f.json").read_bytes()


def test_an_unsaved_filter_has_the_fingerprint_of_the_saved_one(kind: str, tmp_path: Path) -> None:
    found = trained(kind, tmp_path)
    saved = found.fingerprint
    del found.__dict__["fingerprint"]
    assert found.fingerprint == saved


def test_saving_again_replaces_the_weights(kind: str, tmp_path: Path) -> None:
    trained(kind, tmp_path)
    first = weights_of(tmp_path / "f.json")
    trained(kind, tmp_path, seed=1)
    assert not first.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["pages.jsonl", "f.json", weights_of(tmp_path / "f.json").name]
    )
    (tmp_path / "f.json").write_text("precious")
    with pytest.raises(InputError, match=r"output: '.*f.json' exists and is no filter; remove or rename it"):
        trained(kind, tmp_path)
    assert (tmp_path / "f.json").read_text() == "precious"


def test_a_failed_save_leaves_the_old_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("hashed", tmp_path)
    before = PageFilter.open(tmp_path / "f.json").fingerprint

    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            trained("hashed", tmp_path, seed=1)
    assert PageFilter.open(tmp_path / "f.json").fingerprint == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda head: [], "is no filter"),
        (lambda head: head | {"format": "x"}, "is no filter"),
        (lambda head: head | {"version": 2}, "has version 2, this reads 1"),
        (lambda head: head | {"kind": "svm"}, "unknown kind 'svm'"),
        (lambda head: {k: v for k, v in head.items() if k != "weights"}, "is a damaged filter"),
        (lambda head: head | {"weights": head["weights"] | {"file": "../f.bin"}}, "names weights elsewhere"),
        (lambda head: head | {"weights": head["weights"] | {"file": "none.bin"}}, "cannot read '.*none.bin'"),
        (lambda head: head | {"weights": head["weights"] | {"bytes": 3}}, "expected 3 bytes, got 16384"),
        (lambda head: head | {"weights": head["weights"] | {"sha256": "0"}}, "its checksum is not"),
        (
            lambda head: head | {"calibration": {"slope": -1, "shift": 0}},
            "expected a calibration with a slope",
        ),
        (lambda head: head | {"calibration": {"slope": 1e999, "shift": 0}}, "expected a calibration"),
        (lambda head: head | {"calibration": {"slope": "x"}}, "is a damaged filter"),
        (lambda head: head | {"settings": {}}, "the settings of the hashed filter are damaged"),
        (lambda head: head | {"settings": head["settings"] | {"buckets": 8}}, "expected 8 weights"),
        (lambda head: head | {"settings": head["settings"] | {"intercept": float("nan")}}, "finite weights"),
        (lambda head: head | {"hashing": 0}, "hashes words in another way"),
        (lambda head: head | {"report": {}}, "report of the filter is damaged"),
        (lambda head: head | {"report": 3}, "report of the filter is damaged"),
    ],
)
def test_a_hostile_head_is_refused(change: Any, pattern: str, tmp_path: Path) -> None:
    trained("hashed", tmp_path)
    path = tmp_path / "f.json"
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    with pytest.raises(InputError, match=f"path: .*{pattern}"):
        PageFilter.open(path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(data)
    with pytest.raises(InputError, match=r"path: .*f.json' is no filter"):
        PageFilter.open(tmp_path / "f.json")
    with pytest.raises(InputError, match=r"path: cannot read .*No such file"):
        PageFilter.open(tmp_path / "none.json")


def test_damaged_weights_are_refused(kind: str, tmp_path: Path) -> None:
    trained(kind, tmp_path)
    weights = weights_of(tmp_path / "f.json")
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match="is damaged: its checksum"):
        PageFilter.open(tmp_path / "f.json")
    weights.write_bytes(data[:-1])
    with pytest.raises(InputError, match=r"expected .* bytes, got"):
        PageFilter.open(tmp_path / "f.json")


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    room = tmp_path_factory.mktemp("binary")
    trained("fasttext", room)
    return weights_of(room / "f.json").read_bytes()


def test_a_model_of_fasttext_passes(binary: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(binary)
    fast_text_file.check(tmp_path / "m.bin")


ARGUMENTS, DICTIONARY = 8, 8 + fast_text_file.ARGUMENTS.size
ENTRIES = DICTIONARY + fast_text_file.DICTIONARY.size


@pytest.mark.parametrize(
    ("place", "form", "value", "pattern"),
    [
        (0, "<i", 1, "magic number"),
        (4, "<i", 13, "magic number of version 12"),
        (ARGUMENTS, "<i", 0, "an option is out of range"),
        (ARGUMENTS, "<i", 8, r"expected a matrix \[\d+, 8\], got \[\d+, 4\]"),
        (ARGUMENTS + 24, "<i", 1, "supervised model with a softmax"),
        (ARGUMENTS + 28, "<i", 1, "supervised model with a softmax"),
        (ARGUMENTS + 32, "<i", -1, "an option is out of range"),
        (ARGUMENTS + 32, "<i", 2**31 - 1, "expected a matrix"),
        (DICTIONARY, "<i", 2**31 - 1, "its dictionary does not add up"),
        (DICTIONARY + 4, "<i", -1, "its dictionary does not add up"),
        (DICTIONARY + 8, "<i", 3, "its dictionary does not add up"),
        (DICTIONARY + 20, "<q", 5, "its dictionary does not add up"),
        (ENTRIES, "<b", 0, "entry 0 of its dictionary is damaged"),
    ],
)
def test_numbers_that_fasttext_would_believe_are_refused(
    place: int, form: str, value: int, pattern: str, binary: bytes, tmp_path: Path
) -> None:
    data = bytearray(binary)
    struct.pack_into(form, data, place, value)
    (tmp_path / "m.bin").write_bytes(data)
    with pytest.raises(InputError, match=f"path: 'm.bin' is no fastText model of two labels: .*{pattern}"):
        fast_text.opened(tmp_path / "m.bin")


def test_every_truncation_is_refused(binary: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for size in [0, 3, 8, 60, 63, *rng.integers(64, len(binary), 60).tolist(), len(binary) - 1]:
        (tmp_path / "m.bin").write_bytes(binary[:size])
        with pytest.raises(InputError, match="is no fastText model"):
            fast_text_file.check(tmp_path / "m.bin")
    (tmp_path / "m.bin").write_bytes(binary + b"\0")
    with pytest.raises(InputError, match=r"expected .* bytes, got"):
        fast_text_file.check(tmp_path / "m.bin")


def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "t.txt").write_text("__label__a x y\n__label__b z\n" * 20)
    model = fasttext.train_supervised(
        str(tmp_path / "t.txt"), dim=4, bucket=10, wordNgrams=2, thread=1, verbose=0
    )
    model.save_model(str(tmp_path / "m.bin"))
    with pytest.raises(InputError, match="expected a fastText model of __label__include and"):
        fast_text.opened(tmp_path / "m.bin")


def test_margins_are_the_log_odds_of_predict(tmp_path: Path) -> None:
    found = trained("fasttext", tmp_path)
    texts = [one_line(row["text"]) for row in webpages.rows(3, seed=5)]
    margins = found.model.margins(texts)
    for text, margin in zip(texts, margins, strict=True):
        scores = {label: p for p, label in found.model._model.f.predict(text + "\n", 2, -1.0, "strict")}
        # fastText adds 1e-5 to the probability before its logarithm.
        assert scores["__label__include"] == pytest.approx(1 / (1 + np.exp(-margin)), abs=1.2e-5)
    sure = found.model.margins([" ".join(webpages.SCIENCE[:n]) for n in (40, 80, 120)])
    assert len(set(sure.tolist())) == 3


def test_scores_want_a_list_of_strings(tmp_path: Path) -> None:
    found = trained("hashed", tmp_path)
    for wrong in ("a text", [b"bytes"], [None]):
        with pytest.raises(TypeError, match="texts: expected a list of strings"):
            found.score(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="texts: text 1 has a lone surrogate at character 2"):
        found.score(["a", "bc\ud800"])
    assert found.score([]).shape == (0,)
