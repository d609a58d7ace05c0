"""The Python examples of README and docs/ run, on less than they name, and call what there is."""

import ast
import gc
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import code_blocks
import prepared
import pytest
from endpoints import endpoint, said
from preferences import small_lm

from pyfastlm.preference.revising.prompt import written

PREPARED = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in prepared.SLOW else [])
    for page in code_blocks.PAGES
    if page.name in prepared.PREPARE
]
PYTHON = [block for page in code_blocks.PAGES for block in code_blocks.blocks(page, "python")]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.where)
def test_python_blocks_call_what_there_is(block: code_blocks.Block) -> None:
    """Everything of pyfastlm that a block imports exists, and takes the arguments that it is given."""
    tree = ast.parse(block.code)
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pyfastlm"):
            module = importlib.import_module(node.module)
            names |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := _resolved(node.func, names)) is not None:
            given = {word.arg: None for word in node.keywords if word.arg}
            if not any(isinstance(each, ast.Starred) for each in node.args):
                inspect.signature(called).bind(*node.args, **given)


def _resolved(node: ast.expr, names: dict[str, Any]) -> Any:
    """What ``node`` calls, where that is a name of pyfastlm or an attribute of one."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _resolved(node.value, names)) is not None:
        return getattr(owner, node.attr)
    return None


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory that stands where an example loads a real model: random weights, a chat template."""
    directory = tmp_path_factory.mktemp("tiny")
    lm = small_lm(max_position_embeddings=4096)
    lm.model.save_pretrained(directory)
    lm.tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.fixture
def url() -> Iterator[str]:
    """Where an example asks a big model for revisions."""
    with endpoint(lambda prompt, number: said(written("A better answer."))) as found:
        yield found.url


@pytest.mark.filterwarnings(
    "ignore:'pin_memory'", "ignore:.*gradient_checkpointing` is deprecated", "ignore:unclosed file"
)
@pytest.mark.parametrize("page", PREPARED)
def test_examples_run(
    page: Path, tiny: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of a page, one after the other, in one namespace and an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    names = prepared.PREPARE[page.name](tiny)
    for block in code_blocks.blocks(page, "python"):
        code = block.code.replace('"smollm2"', repr(tiny))
        for usual, smaller in prepared.SMALLER.get(page.name, ()):
            code = code.replace(usual, smaller.replace("{endpoint}", url))
        if not any(long in code for long in prepared.LONG):
            exec(compile(code, block.where, "exec"), names)
    names.clear()
    gc.collect()  # files that an example leaves open


def test_every_page_with_an_example_runs() -> None:
    pages = {page.name for page in code_blocks.PAGES if code_blocks.blocks(page, "python")}
    # A suite to be filled in; strategies that train for minutes.
    assert pages - set(prepared.PREPARE) == {"benchmarks.md", "together.md"}
