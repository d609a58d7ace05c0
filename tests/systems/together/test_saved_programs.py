"""Programs saved and loaded."""

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from scripted import luck, scripted, toy

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import load_program, save_program


def compiled() -> tuple[Any, Any]:
    lm, _, _ = scripted(luck)
    program = toy().program()
    program.set_lm(lm.copy(model="hf/scripted+"))
    program.demos = [dspy.Example(augmented=True, word="w1.", kind="b")]
    return program, lm


def test_a_program_comes_back(tmp_path: Path) -> None:
    program, lm = compiled()
    save_program(program, tmp_path / "saved")
    loaded = load_program(toy().program(), lm, tmp_path / "saved")
    assert loaded.lm.model == "hf/scripted+"
    assert [dict(demo) for demo in loaded.demos] == [{"word": "w1.", "kind": "b"}]
    for n in range(10):
        assert loaded(word=f"w{n}.").kind == program(word=f"w{n}.").kind


def test_it_is_not_written_over(tmp_path: Path) -> None:
    program, _ = compiled()
    save_program(program, tmp_path / "saved")
    with pytest.raises(InputError, match="exists"):
        save_program(program, tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_programs_that_cannot_be_saved(tmp_path: Path) -> None:
    from pyfastlm.together.tasks.two_hops import _program

    program = _program()
    with pytest.raises(InputError, match="expected one LM for all modules"):
        save_program(program, tmp_path / "saved")
    program.group.lm, program.kind.lm = (scripted(luck)[0] for _ in range(2))
    with pytest.raises(InputError, match="expected one LM for all modules, got 2"):
        save_program(program, tmp_path / "saved")
    assert not [*tmp_path.iterdir()]


def test_another_program_or_lm(tmp_path: Path) -> None:
    from pyfastlm.together.tasks.two_hops import _program

    program, lm = compiled()
    save_program(program, tmp_path / "saved")
    with pytest.raises(InputError, match="is of a program with the modules self, not group, kind"):
        load_program(_program(), lm, tmp_path / "saved")
    path = tmp_path / "saved" / "program.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"tuned": True}))
    with pytest.raises(InputError, match="expected an engine that loads the weights"):
        load_program(toy().program(), lm, tmp_path / "saved")


@pytest.mark.parametrize(
    "text", ["", "3", "{}", '{"model": 3, "hash": "", "tuned": false, "demos": {}}', "[" * 100_000]
)
def test_damaged(tmp_path: Path, text: str) -> None:
    program, lm = compiled()
    save_program(program, tmp_path / "saved")
    (tmp_path / "saved" / "program.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        load_program(toy().program(), lm, tmp_path / "saved")
    with pytest.raises(InputError, match="cannot read"):
        load_program(toy().program(), lm, tmp_path / "none")
