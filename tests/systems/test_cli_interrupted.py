"""SIGINT at the first file that a command makes: one line, exit code 130, and once more it ends well."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks, forks
from verbs import SHORT, command, output, writing


@pytest.fixture(scope="module")
def server(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("interrupted") / "work"
    shutil.copytree(made_once, folder)
    with forks(folder, transformers=True) as found:
        yield found


@pytest.mark.parametrize("verb", writing(SHORT))
def test_interrupted_and_run_again(server: Forks, verb: str) -> None:
    shutil.rmtree(server.folder / "out", ignore_errors=True)
    (server.folder / "out").mkdir()
    told = server.run(*command(verb), interrupted="out/")
    assert (told.code, told.out) == (130, ""), told.err
    assert told.err.splitlines()[-1] == "pyfastlm: error: interrupted; rerun to resume"
    assert "Traceback" not in told.err
    named = server.folder / "out" / output(verb)
    assert not named.is_file()
    again = server.run(*command(verb))
    assert again.code == 0, again.err
    assert named.exists()
