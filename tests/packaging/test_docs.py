"""What README, CONTRIBUTING and docs/ say can be typed can be, and the figures on kernels are fresh."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import code_blocks
import pytest

pytest.importorskip("typer", reason="needs the extra cli")

FILE = re.compile(r"`((?:benchmarks|csrc|docs|kernels|pyfastlm|tests)/[\w./-]+)`")
COMMANDS = [
    pytest.param(words, id=f"{where} {' '.join(words)[:40]}")
    for page in code_blocks.PAGES
    for where, words in code_blocks.commands(page)
]


@pytest.fixture(scope="module")
def root() -> Any:
    """The command line as typer hands it to click."""
    from typer.main import get_command

    from pyfastlm.cli import app

    return get_command(app._app())


def parse(root: Any, words: list[str], *, whole: bool) -> None:
    """Raises where a command, an option or a choice does not exist; ``whole``: or an argument is missing."""
    command, rest = root, list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            return
        assert rest[0] in command.commands, f"{' '.join(words)}: there is no {rest[0]}"
        command = command.commands[rest.pop(0)]
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    if not whole:
        assert {word for word in rest if word.startswith("-")} <= options | {"--help"}, " ".join(words)
    elif "--help" not in rest:
        command.make_context(command.name, rest)


@pytest.mark.parametrize("words", COMMANDS)
def test_shell_blocks_can_be_typed(words: list[str], root: Any) -> None:
    if words[0] == "pyfastlm":
        parse(root, words[1:], whole=True)
    elif words[:2] == ["python", "-m"] and words[2].startswith("pyfastlm"):
        assert importlib.util.find_spec(words[2])
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (code_blocks.ROOT / words[1]).is_file()


@pytest.mark.parametrize("page", code_blocks.PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page: Path, root: Any) -> None:
    for words in code_blocks.named(page):
        parse(root, words[1:], whole=False)


@pytest.mark.parametrize("page", code_blocks.PAGES, ids=lambda page: page.name)
def test_files_in_the_text_exist(page: Path) -> None:
    if not (code_blocks.ROOT / ".git").exists():
        pytest.skip("not a git checkout: an sdist has no results")
    named = set(FILE.findall(page.read_text("utf-8")))
    assert {name for name in named if not (code_blocks.ROOT / name).exists()} == set()


def test_a_wrong_command_would_be_found(root: Any) -> None:
    parse(root, ["score", "in.txt", "-o", "out.parquet"], whole=True)
    for wrong in (["scoer"], ["score", "in.txt"], ["score", "in.txt", "-o", "out", "--modle", "x"]):
        with pytest.raises(Exception, match=r"scoer|output|modle"):
            parse(root, wrong, whole=True)
    with pytest.raises(AssertionError, match="modle"):
        parse(root, ["score", "--modle", "x"], whole=False)


def test_the_resources_of_kernels_are_of_this_source() -> None:
    resources = _kernel_resources()
    if not resources.RESULTS.exists():
        pytest.skip("not a git checkout: an sdist has no results")
    written = json.loads(resources.RESULTS.read_text("utf-8"))
    assert resources.stale(written["ops"]) == [], "run: python benchmarks/kernel_resources.py"
    pins = (code_blocks.ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert f"triton=={written['triton']}" in pins, "run: python benchmarks/kernel_resources.py --all"


def test_only_a_change_of_code_makes_resources_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = _kernel_resources()
    shutil.copytree(code_blocks.ROOT / "kernels", tmp_path / "kernels")
    monkeypatch.setattr(resources, "ROOT", tmp_path)
    found = {op: {"fingerprint": resources.fingerprint(op)} for op in resources.ops()}
    shared = tmp_path / "kernels/_logits.py"
    shared.write_text(shared.read_text("utf-8") + '\n# A comment.\n"""And a text."""\n', "utf-8")
    assert resources.stale(found) == []
    shared.write_text(shared.read_text("utf-8") + "MORE = 1\n", "utf-8")
    assert resources.stale(found) == ["linear_logp"]


def _kernel_resources() -> Any:
    spec = importlib.util.spec_from_file_location(
        "kernel_resources", code_blocks.ROOT / "benchmarks/kernel_resources.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
