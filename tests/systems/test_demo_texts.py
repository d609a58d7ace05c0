"""The texts of the demo: where they come from, and what goes wrong on the way."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jobs
import pytest

from pyfastlm.demo import npm, texts, udhr
from pyfastlm.demo.texts import TextsMissing


def test_own_texts_are_parallel_and_complete() -> None:
    own = texts.own(5)
    assert [source.code for source in own.sources] == ["en", "de", "fr", "es", "ru", "ar", "zh"]
    for source in own.sources:
        assert [document.key for document in source.documents] == [f"paragraph {n}" for n in range(1, 6)]
        assert all(len(document.text) > 50 for document in source.documents)
    assert len({document.text for source in own.sources for document in source.documents}) == 35


def test_declaration_is_parallel(tmp_path: Path) -> None:
    from pyfastlm.lm.smollm2 import cache_dir

    try:
        found = udhr.declaration(30, 0, cache_dir() / "demo")
    except TextsMissing as reason:
        pytest.skip(str(reason))
    assert len(found.sources) == len(udhr.LANGUAGES)
    for source in found.sources:
        assert [document.key for document in source.documents] == [f"article {n}" for n in udhr.ARTICLES]
        assert all(document.text.strip() == document.text != "" for document in source.documents)
    english = found.sources[0].documents
    assert english[0].text.startswith("All human beings are born free and equal in dignity and rights.")
    assert english[12].text.count("\n") == 1  # two paragraphs


def test_articles_of_a_page() -> None:
    found = udhr.articles(
        "<header><p>no article</p></header>"
        '<article data-number="1"><h2>Article 1</h2><p>a &amp;\n  b</p></article>'
        '<article data-number="2"><ol><li><p>one</p></li><li><p>two</p></li></ol></article><p>after</p>'
    )
    assert found == {1: "a & b", 2: "one\ntwo"}


def test_sample_is_seeded_and_keeps_the_first() -> None:
    drawn = texts.sample(range(1, 31), 10, seed=0)
    assert drawn == texts.sample(range(1, 31), 10, seed=0) == sorted(set(drawn))
    assert drawn[0] == 1
    assert len(drawn) == 10
    assert drawn != texts.sample(range(1, 31), 10, seed=1)
    assert texts.sample(range(1, 31), 30, seed=5) == [*range(1, 31)]


# npm


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An npm that does what ``script`` says: the real one cannot be made to fail on demand."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1",
            "failed: code E404; 404 Not",
        ),
        ("exit 3", "failed: no reason given"),
        ("exit 0", "left 0 archives"),
        ("echo a >a.tgz; echo b >b.tgz", "left 2 archives"),
        ("echo other >a.tgz", "npm gave another some@1: SHA-256"),
        ("head -c 2000 /dev/zero >a.tgz", "larger than"),
        ("exec sleep 60", "took longer than 1 s"),
    ],
)
def test_what_npm_can_do_wrong(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", script, monkeypatch)
    monkeypatch.setattr(npm, "SECONDS", 1)
    monkeypatch.setattr(npm, "LIMIT", 1999)
    with pytest.raises(TextsMissing, match=reason):
        npm.archive("some@1", "0" * 64, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_archive_is_fetched_once_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "LIMIT", 1 << 20)
    stand_in(tmp_path / "bin", f"echo good >a.tgz; echo x >>{tmp_path}/calls", monkeypatch)
    good = hashlib.sha256(b"good\n").hexdigest()
    cache = tmp_path / "cache"
    assert npm.archive("@scope/some@1", good, cache) == b"good\n"
    assert npm.archive("@scope/some@1", good, cache) == b"good\n"
    assert (tmp_path / "calls").read_text() == "x\n"
    (kept,) = cache.iterdir()
    kept.write_bytes(b"broken")
    assert npm.archive("@scope/some@1", good, cache) == b"good\n"
    assert kept.read_bytes() == b"good\n"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "echo good >a.tgz", monkeypatch)
    (tmp_path / "file").touch()
    digest = hashlib.sha256(b"good\n").hexdigest()
    assert npm.archive("some@1", digest, tmp_path / "file" / "cache") == b"good\n"


# Controls


@pytest.mark.slow
def test_interrupted_while_waiting(
    tiny_lm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", f"touch {tmp_path}/waiting; exec sleep 60", monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = [sys.executable, "-c", jobs.MAIN, "demo", "-o", str(tmp_path / "out"), "-m", str(tiny_lm_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "waiting").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("pyfastlm: error: interrupted")
    assert "Traceback" not in err
    assert os.listdir(tmp_path / "out") == []
