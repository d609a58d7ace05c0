"""The installed distribution holds what a user needs and nothing else. Meant for an installed wheel."""

import importlib.metadata
import json
import sys
import tomllib
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DISTRIBUTION = importlib.metadata.distribution("pyfastlm")


def editable() -> bool:
    direct_url = json.loads(DISTRIBUTION.read_text("direct_url.json") or "{}")
    return bool(direct_url.get("dir_info", {}).get("editable"))


if editable():
    pytest.skip("an editable install holds no files; CI runs these on the wheel", allow_module_level=True)


def installed() -> dict[PurePosixPath, Path]:
    """Files of the distribution by their path in site-packages, byte-code caches left out."""
    return {
        PurePosixPath(file.as_posix()): Path(str(file.locate()))
        for file in DISTRIBUTION.files or ()
        if "__pycache__" not in file.parts
    }


def extensions() -> list[PurePosixPath]:
    return [path for path in installed() if path.suffix in {".so", ".dylib", ".pyd"}]


def test_top_level_is_the_package_alone() -> None:
    console_script = {path for path in installed() if path.parts[0] == ".."}
    assert {path.name for path in console_script} == {"pyfastlm"}
    top = {path.parts[0] for path in installed()} - {".."}
    assert top == {"pyfastlm", f"pyfastlm-{DISTRIBUTION.version}.dist-info"}


def sources() -> dict[PurePosixPath, Path]:
    """Files of the tree that belong into the package, by the path they have in site-packages."""
    trees = {"pyfastlm": ROOT / "pyfastlm", "pyfastlm/kernels": ROOT / "kernels"}
    return {
        PurePosixPath(package, path.relative_to(tree).as_posix()): path
        for package, tree in trees.items()
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_package_is_the_source_tree_and_the_extension() -> None:
    shipped = {path for path in installed() if path.parts[0] == "pyfastlm"}
    assert PurePosixPath("pyfastlm/kernels/__init__.py") in shipped
    assert shipped == {*sources(), *extensions()}


def test_sources_are_shipped_unchanged() -> None:
    files = installed()
    assert [
        path for path, source in sources().items() if files[path].read_bytes() != source.read_bytes()
    ] == []


def test_types_are_shipped() -> None:
    assert PurePosixPath("pyfastlm/py.typed") in installed()
    assert PurePosixPath("pyfastlm/_native.pyi") in installed()


def test_one_extension_for_this_interpreter() -> None:
    (extension,) = extensions()
    assert extension.parent == PurePosixPath("pyfastlm")
    assert extension.name.startswith("_native.")
    if sys.implementation.name == "cpython":
        assert f"{sys.version_info.major}{sys.version_info.minor}" in extension.name.split(".")[1]


def test_extension_links_no_second_runtime() -> None:
    (extension,) = extensions()
    binary = installed()[extension].read_bytes()
    assert b"PyInit__native" in binary
    assert [
        name for name in (b"libtorch", b"libc10", b"libgomp", b"libomp", b"libiomp") if name in binary
    ] == []


def test_licence_is_shipped() -> None:
    assert DISTRIBUTION.metadata["License-Expression"] == "Apache-2.0"
    (licence,) = [path for path in installed() if path.name == "LICENSE"]
    assert installed()[licence].read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_metadata_is_that_of_the_project() -> None:
    metadata = DISTRIBUTION.metadata
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    extras = {name.replace("_", "-") for name in metadata.get_all("Provides-Extra") or ()}
    assert extras == set(PROJECT["optional-dependencies"])


def test_base_dependencies_are_numpy_and_torch() -> None:
    requirements = map(Requirement, DISTRIBUTION.requires or ())
    base = {need.name for need in requirements if need.marker is None or "extra" not in str(need.marker)}
    assert base == {"numpy", "torch"}


def test_command_line_entry_point() -> None:
    (entry,) = [entry for entry in DISTRIBUTION.entry_points if entry.group == "console_scripts"]
    assert (entry.name, entry.value) == ("pyfastlm", PROJECT["scripts"]["pyfastlm"])
