"""Files that are no such files: one line that names the file, exit code 2, and nothing written."""

from pathlib import Path

import pytest

from pyfastlm.cli.app import run

VERBS = {
    "spell build": "GIVEN.tsv out.index",
    "qac build": "GIVEN.tsv -o out.index",
    "ir eval": "GIVEN.json -o out",
    "prefer contrast": "GIVEN.jsonl --page out.md",
}
HOSTILE = {"not utf-8": b"1\tcaf\xff\n", "zeros": bytes(300), "half a row": b'{"text": "a\xff'}


@pytest.mark.parametrize("content", [*HOSTILE, "a directory"])
@pytest.mark.parametrize("verb", VERBS)
def test_one_line_names_the_file(
    verb: str,
    content: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [*verb.split(), *VERBS[verb].replace("GIVEN", "given").split()]
    given = next(Path(word) for word in command if word.startswith("given"))
    if content in HOSTILE:
        given.write_bytes(HOSTILE[content])
    else:
        given.mkdir()
    code = run(command)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("pyfastlm: error: ")
    assert given.name in line
    assert [path.name for path in tmp_path.iterdir()] == [given.name]
