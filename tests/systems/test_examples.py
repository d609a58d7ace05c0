"""The Python examples of README, CONTRIBUTING and docs/."""

import ast
import importlib
import inspect
from typing import Any

import code_blocks
import pytest

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
