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


def interrupt(event, given, folder):
    if event in ("open", "os.rename", "os.mkdir") and os.path.abspath(str(given[0])).startswith(folder):
        if event != "open" or given[2] & (os.O_WRONLY | os.O_RDWR):
            os.kill(os.getpid(), signal.SIGINT)


for line in sys.stdin:
    arguments, absent, most, interrupted = json.loads(line)
    pipes = {1: os.pipe(), 2: os.pipe()}  # they hold 64 KiB, which is more than any command here says
    child = os.fork()
    if child == 0:
        sys.meta_path[:] = [Hiding(finder, absent) for finder in sys.meta_path]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, (_, end) in pipes.items():
            os.dup2(end, number)
            os.close(end)
        if interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.addaudithook(lambda event, given: interrupt(event, given, os.path.abspath(interrupted)))
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
        with open("told.modules", "w") as file:
            file.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
        os._exit(code)
    told = []
    for reading, writing in pipes.values():
        os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for reading, _ in pipes.values():
        with open(reading, encoding="utf-8") as file:
            told.append(file.read())
    print(json.dumps([code, *told]), flush=True)
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

    def run(
        self,
        *arguments: object,
        without: tuple[str, ...] = (),
        most: int | None = None,
        interrupted: str | None = None,
    ) -> Told:
        """Run ``pyfastlm`` with ``arguments``, as if the packages ``without`` were not installed.

        No file can become larger than ``most`` bytes. Whatever is written or made in the folder
        ``interrupted``, named as in the arguments, is answered by SIGINT.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([[*map(str, arguments)], without, most, interrupted]) + "\n")
        self._server.stdin.flush()
        code, out, err = json.loads(self._server.stdout.readline())
        return Told(code, out, err, (self.folder / "told.modules").read_text().split())


@contextmanager
def forks(folder: Path, *, transformers: bool = False) -> Iterator[Forks]:
    """A server of forks for the time of the block; ``transformers``: with that loaded, too."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    start = [sys.executable, "-c", SERVER, *["transformers"] * transformers]
    with subprocess.Popen(start, cwd=folder, text=True, **pipes) as server:
        yield Forks(server, folder)
        assert server.stdin is not None
        server.stdin.close()
