"""Programs of strategies, kept and loaded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import luck, scripted, toy

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import program_of
from pyfastlm.together.strategies.state import State, save_state
from pyfastlm.together.tasks.two_hops import _program


@pytest.fixture
def lm(tmp_path: Path) -> Any:
    """The base LM; a state of another one is in ``tmp_path / "P"``."""
    lm, _, _ = scripted(luck)
    state = State(lm.copy(model="hf/scripted+"), {"self": [{"word": "w1.", "kind": "b"}]})
    (tmp_path / "P").mkdir()
    save_state(state, tmp_path / "P" / "program")
    return lm


def test_a_program_comes_back(tmp_path: Path, lm: Any) -> None:
    loaded = program_of(tmp_path / "P", toy(), lm)
    assert loaded.lm.model == "hf/scripted+"
    assert [dict(demo) for demo in loaded.demos] == [{"word": "w1.", "kind": "b"}]
    assert [path.name for path in (tmp_path / "P").iterdir()] == ["program"]


def test_another_program_or_lm(tmp_path: Path, lm: Any) -> None:
    with pytest.raises(InputError, match="is of a program with the modules self, not group, kind"):
        program_of(tmp_path / "P", replace(toy(), program=_program), lm)
    path = tmp_path / "P" / "program" / "program.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tuned": True}))
    with pytest.raises(InputError, match="expected an engine that loads the weights"):
        program_of(tmp_path / "P", toy(), lm)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "{}",
        '{"model": 3, "hash": "", "tuned": false, "demos": {}}',
        '{"model": "m", "hash": "", "tuned": false, "demos": {"self": [3]}}',
        "[" * 100_000,
    ],
)
def test_damaged(tmp_path: Path, lm: Any, text: str) -> None:
    (tmp_path / "P" / "program" / "program.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        program_of(tmp_path / "P", toy(), lm)
    with pytest.raises(InputError, match="cannot read"):
        program_of(tmp_path / "none", toy(), lm)
