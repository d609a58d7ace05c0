"""What is missing or double is named, and handled by one rule for all models: checked against brute force."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import Stub

from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.selection import Model, bpb_matrix
from pyfastlm.selection.bpb.rules import settle_equal_rows

ROWS = samples.sample(24, 4)
TEXTS = [text for _, text in ROWS]
NAMES = ("a", "b", "c")
KINDS = ("fails", "nan", "empty")
REASONS = {
    "fails": "ValueError: cannot encode '{}'",
    "nan": "its log-probability is no finite number",
    "empty": "the tokenizer finds no token",
}


def stubs(lost: dict[tuple[str, int], str]) -> list[Stub]:
    """``lost``: model and document to the kind of the mishap."""
    return [
        Stub(
            name, **{k: [TEXTS[d] for (m, d), kind in lost.items() if (m, kind) == (name, k)] for k in KINDS}
        )
        for name in NAMES
    ]


def run(lost: dict[tuple[str, int], str], folder: Path, **options: Any) -> Any:
    listed = [Model(stub.name, scorer=stub) for stub in stubs(lost)]
    return bpb_matrix(listed, samples.write(folder / "in.jsonl", ROWS), folder / "out.parquet", **options)


@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lost=st.dictionaries(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 23)), st.sampled_from(KINDS), max_size=9
    ),
    rule=st.sampled_from(["drop_model", "drop_document", "drop_domain"]),
)
def test_any_loss_by_any_rule(
    lost: dict[tuple[str, int], str], rule: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bad_models = {name for name, _ in lost} if rule == "drop_model" else set()
    bad_documents = {document for _, document in lost} if rule != "drop_model" else set()
    if rule == "drop_domain":
        domains = {ROWS[document][0] for document in bad_documents}
        bad_documents = {number for number, (domain, _) in enumerate(ROWS) if domain in domains}
    left = [row for number, row in enumerate(ROWS) if number not in bad_documents]
    kept = [name for name in NAMES if name not in bad_models]
    folder = tmp_path_factory.mktemp("any")
    if not kept or not left:
        with pytest.raises(InputError, match="left"):
            run(lost, folder, missing=rule)
        return

    report = run(lost, folder, missing=rule)

    matrix = report.open()
    names, values = samples.expected([Stub(name) for name in kept], left)
    assert (matrix.models, matrix.domains) == (tuple(kept), tuple(names))
    np.testing.assert_allclose(matrix.bits_per_byte, values, rtol=1e-13)
    assert matrix.documents.sum() == report.documents == len(left)
    assert report.dropped == len(bad_documents)
    assert report.dropped_domains == tuple(sorted({d for d, _ in ROWS} - set(names)))
    before = {d: sum(domain == d for domain, _ in ROWS) for d in names}
    assert report.shrunk_domains == sum(sum(d == e for e, _ in left) < before[d] for d in names)
    for model in report.models:
        assert model.missing == sum(name == model.name for name, _ in lost)
        assert model.kept == (model.name in kept)
        assert bool(model.reason) == (not model.kept)
    if not lost:
        assert report.missing_scores is None
        return
    found = [json.loads(line) for line in report.missing_scores.read_text().splitlines()]
    wanted = {(m, d + 1): REASONS[kind].format(TEXTS[d][:5]) for (m, d), kind in lost.items()}
    assert {(line["model"], line["row"]): line["reason"] for line in found} == wanted
    assert all(line["domain"] == ROWS[line["row"] - 1][0] for line in found)
    assert len(found) == len(lost)
    assert list(report.examples)[:20] == report_lines(found)


def report_lines(found: list[dict[str, Any]]) -> list[Any]:
    from pyfastlm.selection import MissingScore

    return [MissingScore(**line) for line in found[:20]]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_names_model_document_and_remedy(kind: str, tmp_path: Path) -> None:
    lost = {("b", 5): kind, ("b", 7): "nan"}
    reason = REASONS[kind].format(TEXTS[5][:5])
    match = (
        rf"^models: 'b' has no score for 2 documents, first '.*in.jsonl', row 6: {reason}; pass missing='dr"
    )
    with pytest.raises(InputError, match=match):
        run(lost, tmp_path)
    assert not (tmp_path / "out.parquet").exists()
    # What is scored is kept: another rule scores nothing.
    again = stubs(lost)
    listed = [Model(stub.name, scorer=stub) for stub in again]
    report = bpb_matrix(listed, tmp_path / "in.jsonl", tmp_path / "out.parquet", missing="drop_document")
    assert report.documents == 22
    assert [stub.asked for stub in again[:2]] == [[], []]


def test_rows_of_no_use(tmp_path: Path) -> None:
    """Rows without a text or a domain are an error, or left out for all and listed, with their domain."""
    good = [{"text": text, "domain": domain} for domain, text in ROWS]
    bad: list[tuple[bytes, str, str | None]] = [
        (b"{", "invalid JSON", None),
        (b'{"text": "x"}', "no key 'domain'", None),
        (b'{"domain": "d"}', "no key 'text'", "d"),
        (b'{"text": "", "domain": "d"}', "empty text", "d"),
        (b'{"text": "x", "domain": ""}', "empty domain", None),
        (b'{"text": "x", "domain": 3}', "'domain' is a number, expected a string", None),
        (b'{"text": "x", "domain": "\\ud800"}', "lone surrogate", None),
        (b'{"text": "\\ud800", "domain": "domain 1"}', "lone surrogate", "domain 1"),
    ]
    source = tmp_path / "in.jsonl"
    lines = [json.dumps(row).encode() for row in good]
    source.write_bytes(b"\n".join([*lines[:10], *(line for line, _, _ in bad), *lines[10:]]))
    listed = [Model("a", scorer=Stub("a"))]
    with pytest.raises(InputError, match=r"inputs: '.*in.jsonl', row 11: invalid JSON.*drop_document"):
        bpb_matrix(listed, source, tmp_path / "out.parquet")
    for rule in ("drop_model", "drop_document", "drop_domain"):
        report = bpb_matrix(listed, source, tmp_path / "out.parquet", missing=rule)
        assert (report.rows, report.documents, report.useless, report.dropped) == (32, 24, 8, 0)
        assert report.dropped_domains == ("d",)
        assert [(e.row, e.domain, e.model) for e in report.examples] == [
            (11 + number, domain, None) for number, (_, _, domain) in enumerate(bad)
        ]
        assert all(wanted in e.reason for e, (_, wanted, _) in zip(report.examples, bad, strict=True)), (
            report.examples
        )
        _, values = samples.expected([Stub("a")], ROWS)
        np.testing.assert_allclose(report.open().bits_per_byte, values, rtol=1e-13)


class Broken(Stub):
    """``how`` it goes wrong as a whole."""

    def __init__(self, how: str) -> None:
        super().__init__("broken")
        self.how = how

    def rolling(self, texts: Any) -> Any:
        scores = super().rolling(texts)
        if self.how == "raises":
            raise RuntimeError("the device is gone")
        if self.how == "memory":
            raise MemoryError
        if self.how == "short":
            return scores[:-1]
        if self.how == "bytes":
            return [type(s)(s.logp, s.n_tokens, s.n_bytes + 1, 1) for s in scores]
        return [s.logp for s in scores]


FAILURES = {
    "raises": "it fails on every text: RuntimeError: the device is gone",
    "memory": "MemoryError: no message",
    "short": "it returns 3 scores for 4 texts",
    "bytes": r"it counts \d+ bytes in a text of \d+",
    "type": "it returns no TextScore: AttributeError",
}


@pytest.mark.parametrize("how", FAILURES)
def test_models_that_fail_as_a_whole(how: str, tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", ROWS[:4])
    listed = [Model("x", scorer=Broken(how)), Model("a", scorer=Stub("a"))]
    with pytest.raises(InputError, match=rf"^models: 'x': {FAILURES[how]}.*missing='drop_model'"):
        bpb_matrix(listed, source, tmp_path / "out.parquet")
    for rule in ("drop_model", "drop_document", "drop_domain"):
        report = bpb_matrix(listed, source, tmp_path / "out.parquet", missing=rule)
        assert report.open().models == ("a",)
        assert report.documents == 4
        assert not report.models[0].kept
        assert re.search(FAILURES[how], report.models[0].reason)


@pytest.mark.slow
def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    def boom() -> Stub:
        raise OSError("no\nsuch weights")

    source = samples.write(tmp_path / "in.jsonl", ROWS)
    for model, reason in (
        (
            Model("gone", path=str(tmp_path / "gone")),
            "it cannot be loaded: InputError: name_or_path: no such",
        ),
        (Model("boom", scorer=boom), "it cannot be loaded: OSError: no such weights"),
        (Model("none", scorer=lambda: object()), "its scorer is none: AttributeError"),  # type: ignore[arg-type, return-value]
    ):
        with pytest.raises(InputError, match=f"^models: '{model.name}': {reason}"):
            bpb_matrix([model], source, tmp_path / "out.parquet")
        report = bpb_matrix(
            [model, Model("a", scorer=Stub("a"))], source, tmp_path / "out.parquet", missing="drop_model"
        )
        assert report.models[0].reason.startswith(reason)
        assert report.models[0].fingerprint is None
        with pytest.raises(InputError, match=f"^models: none is left .'{model.name}': {reason}"):
            bpb_matrix([model], source, tmp_path / "out.parquet", missing="drop_document")


def test_a_missing_package_is_no_fault_of_the_model(tmp_path: Path) -> None:
    def needs() -> Stub:
        raise MissingExtra("gguf is not installed")

    source = samples.write(tmp_path / "in.jsonl", ROWS)
    with pytest.raises(MissingExtra, match="gguf"):
        bpb_matrix([Model("a", scorer=needs)], source, tmp_path / "out.parquet", missing="drop_model")


def twins(family: str) -> list[Model]:
    """``copy`` has the fingerprint of ``a``, ``echo`` only its numbers; ``kin`` is copy's kin."""
    return [
        Model("a", "one", scorer=Stub("a")),
        Model("b", "alone", scorer=Stub("b")),
        Model("copy", family, scorer=Stub("a")),
        Model("kin", family, scorer=Stub("kin")),
        Model("echo", "another", scorer=Stub("a", fingerprint="echo")),
    ]


def test_doubles_are_an_error(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", ROWS)
    for chosen, message in (
        ((0, 2), r"'copy' and 'a' are the same model \(equal fingerprints\)"),
        ((0, 1, 4), "'echo' and 'a' have the same bits per byte in all domains"),
    ):
        listed = [twins("other")[number] for number in chosen]
        with pytest.raises(InputError, match=f"^models: {message}; leave one out, or pass duplicates="):
            bpb_matrix(listed, source, tmp_path / "out.parquet")
        assert not (tmp_path / "out.parquet").exists()


def test_doubles_are_dropped(tmp_path: Path) -> None:
    listed = twins("other")
    source = samples.write(tmp_path / "in.jsonl", ROWS)
    report = bpb_matrix(listed, source, tmp_path / "out.parquet", duplicates="drop")
    assert report.open().models == ("a", "b", "kin")
    assert [model.duplicate_of for model in report.models] == [None, None, "a", None, "a"]
    assert report.models[2].reason == "it and 'a' are the same model (equal fingerprints)"
    assert report.models[4].reason == "it and 'a' have the same bits per byte in all domains"
    copy: Any = listed[2].scorer
    assert copy.asked == [], "equal fingerprints are not scored twice"


def test_doubles_make_their_families_one(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", ROWS)
    report = bpb_matrix(twins("other"), source, tmp_path / "out.parquet", duplicates="family")
    matrix = report.open()
    assert matrix.models == ("a", "b", "copy", "kin", "echo")
    assert matrix.families == ("one", "alone", "one", "one", "one")
    np.testing.assert_array_equal(matrix.bits_per_byte[0], matrix.bits_per_byte[2])
    assert [model.family for model in report.models] == list(matrix.families)
    assert [noted.get("duplicate_of") for noted in matrix.details] == [None, None, "a", None, "a"]
    again = bpb_matrix(twins("other"), source, tmp_path / "out.parquet", duplicates="family")
    assert [model.duplicate_of for model in again.models] == [None, None, "a", None, "a"]


def test_rows_that_rounding_tells_apart_are_equal() -> None:
    from pyfastlm.selection.bpb.entries import Entry

    rng = np.random.default_rng(0)
    x = rng.random((4, 30)) + 0.5
    x[2] = x[0] * (1 + 1e-7 * rng.standard_normal(30))
    x[3] = x[0]
    x[3, 17] *= 1.001
    entries = [Entry(Model(name), name) for name in "abcd"]
    settle_equal_rows(x, entries, "family", entries)
    assert [entry.duplicate_of for entry in entries] == [None, None, "a", None]


def test_unknown_rules(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", ROWS)
    listed = [Model("a", scorer=Stub("a"))]
    for name in ("missing", "duplicates"):
        with pytest.raises(InputError, match=f"^{name}: expected one of raise, .*, got 'ignore'"):
            bpb_matrix(listed, source, tmp_path / "out.parquet", **{name: "ignore"})  # type: ignore[arg-type]
