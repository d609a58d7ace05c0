"""What mkdocs does not do by itself: pages from files outside docs/, and links that hold in both places.

In the repository README.md links to docs/scoring.md, and docs/icl.md to ../benchmarks/results/icl_ginc.png: a
reader of the files follows these. On the site all of them are pages or pictures of one tree.
"""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import kernels_page

ROOT = Path(__file__).parents[2]
RESULTS = "benchmarks/results"
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
PACKAGES = (
    "icl", "index", "ir", "lm", "memorization", "mrt5", "onion", "ops", "preference", "qac", "selection",
    "spelling", "together",
)  # fmt: skip

RAW_FIGURES = f"""# Raw figures

What the scripts of `benchmarks/` wrote into `{RESULTS}`: behind the tables of these pages.

| file | size |
|---|---:|
"""

SHOWN = "    options: { show_root_full_path: false, show_root_heading: true, show_root_toc_entry: true }"

LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>~?([^<]+)</code>")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and pictures that do not lie in docs/."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    for path in sorted((ROOT / RESULTS).iterdir()):
        files.append(File.generated(config, f"results/{path.name}", abs_src_path=str(path)))
    files.append(File.generated(config, "results/index.md", content=results_page()))
    for package in PACKAGES:
        files.append(File.generated(config, f"names/pyfastlm.{package}.md", content=names_page(package)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between files of the repository into links between pages; let the kernels' tables follow."""
    here = page.file.src_uri
    if here == "kernels.md":
        markdown += kernels_page.sections()
    source = next((name for name, copy in PAGES.items() if copy == here), f"docs/{here}")

    def moved(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        place = site_path(path)
        return posixpath.relpath(place, posixpath.dirname(here) or ".") if place else match[1]

    return LINK.sub(moved, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Show :func:`name` of a docstring as `name`."""
    return ROLE.sub(r"<code>\1</code>", html)


def site_path(path: str) -> str | None:
    """Where the site has the file at ``path`` of the repository; ``None`` where it has not."""
    if path in PAGES:
        return PAGES[path]
    if path == RESULTS:
        return "results/index.md"
    if path.startswith(f"{RESULTS}/"):
        return f"results/{posixpath.basename(path)}"
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def results_page() -> str:
    """The raw figures behind the tables, as files."""
    paths = sorted((ROOT / RESULTS).iterdir())
    rows = (f"| [{path.name}]({path.name}) | {path.stat().st_size / 1000:,.0f} kB |" for path in paths)
    return RAW_FIGURES + "\n".join(rows)


def names_page(package: str) -> str:
    """The public names of one package, with what their docstrings say."""
    page = [f"# pyfastlm.{package}", f"::: pyfastlm.{package}"]
    if package == "ops":  # an op has the name of its module, and the module would stand in its place
        ops = sorted(path.stem for path in (ROOT / "pyfastlm/ops").glob("[!_]*.py"))
        page += [f"::: pyfastlm.ops.{op}.{op}\n{SHOWN}" for op in ops]
    return "\n\n".join(page)
