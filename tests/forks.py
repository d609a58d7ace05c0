"""Command lines, each in a process of its own that costs no start: it is forked off one that has torch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SERVER = '''
import json, os, resource, signal, sys
import torch  # is of every installation
from pyfastlm.cli.app import run

if sys.argv[1:]:
    import transformers.models.auto, transformers.models.llama.modeling_llama, pyarrow.parquet

class Hiding:
    """A finder of modules that does not see some packages."""

    def __init__(self, finder, absent):
        self.finder, self.absent = finder, absent

    def find_spec(self, name, *more):
        return None if name.partition(".")[0] in self.absent else self.finder.find_spec(name, *more)

    def __getattr__(self, name):
        return getattr(self.finder, name)


for line in sys.stdin:
    arguments, absent, most = json.loads(line)
    child = os.fork()
    if child == 0:
        sys.meta_path[:] = [Hiding(finder, absent) for finder in sys.meta_path]
        for number, name in ((0, os.devnull), (1, "told.out"), (2, "told.err")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
        if most is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            code = run(arguments)
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        third_party = sorted({name.partition(".")[0] for name, module in sys.modules.items() if module})
        with open("told.modules", "w") as file:
            file.write("\\n".join(third_party))
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
'''


class Told(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str
    modules: list[str]  # top-level names of what was imported


class Forks:
    """Runs commands in ``folder``."""

    def __init__(self, server: "subprocess.Popen[str]", folder: Path) -> None:
        self._server, self.folder = server, folder

    def run(self, *arguments: object, without: tuple[str, ...] = (), most: int | None = None) -> Told:
        """Run ``pyfastlm`` with ``arguments``, as if the packages ``without`` were not installed.

        No file can become larger than ``most`` bytes.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([[*map(str, arguments)], without, most]) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        out, err, modules = ((self.folder / f"told.{name}").read_text() for name in ("out", "err", "modules"))
        return Told(code, out, err, modules.split())


@contextmanager
def forks(folder: Path, *, transformers: bool = False) -> Iterator[Forks]:
    """A server of forks for the time of the block; ``transformers``: with that loaded, too."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    start = [sys.executable, "-c", SERVER, *["transformers"] * transformers]
    with subprocess.Popen(start, cwd=folder, text=True, **pipes) as server:
        yield Forks(server, folder)
        assert server.stdin is not None
        server.stdin.close()
