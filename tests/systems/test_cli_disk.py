"""A full disk, or a place that is not there: one line, exit code 2, and nothing under the final name."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks, forks
from verbs import SHORT, VERBS, command, output, writing

LITTLE = 40  # bytes that a file may have
ELSEWHERE = {"ir train", "select filter train", "spell train"}  # whose first file is a temporary one


@pytest.fixture(scope="module")
def server(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("disk") / "work"
    shutil.copytree(made_once, folder)
    with forks(folder, transformers=True) as found:
        yield found


@pytest.fixture
def out(server: Forks) -> Path:
    shutil.rmtree(server.folder / "out", ignore_errors=True)
    (server.folder / "out").mkdir()
    return server.folder / "out"


@pytest.mark.parametrize("verb", writing(SHORT))
def test_a_full_disk(server: Forks, out: Path, verb: str) -> None:
    told = server.run(*command(verb), most=LITTLE)
    assert (told.code, told.out) == (2, ""), told.err
    line = told.err.splitlines()[-1]
    assert line.startswith("pyfastlm: error: ")
    assert "File too large" in line
    assert "out/" in line or verb in ELSEWHERE
    named = out / output(verb)
    assert not named.is_file()
    assert server.run(*command(verb)).code == 0
    assert named.exists()


@pytest.mark.parametrize("verb", writing(SHORT))
def test_no_such_directory(server: Forks, out: Path, verb: str) -> None:
    """Commands that write a directory of their own may make those above, too."""
    out.rmdir()
    told = server.run(*command(verb))
    if told.code == 0:
        assert (out / output(verb)).is_dir()
        return
    assert (told.code, told.out) == (2, ""), told.err
    line = told.err.splitlines()[-1]
    assert line.startswith("pyfastlm: error: ")
    assert "out" in line
    assert not out.exists()


def test_every_verb_is_known() -> None:
    assert set(SHORT) <= set(VERBS)
