"""A Ray cluster for as long as a job lasts; quiet, and without reports to anybody."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files.ray_options import RayOptions

# Set before Ray is loaded, and only where the user has not.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


@contextlib.contextmanager
def connected(options: RayOptions) -> Iterator[Any]:
    """The module ``ray``, connected as :class:`RayOptions` says; a connection that is made here ends here.

    Raises:
        InputError: there is no such cluster, or this process is connected to one already.
        MissingExtra: Ray is not installed.
    """
    ray = loaded()
    with _without_chatter():
        if ray.is_initialized():
            if options.address is not None:
                raise InputError("address: this process is connected to a cluster already; leave it out")
            yield ray
            return
        _connect(ray, options)
        try:
            yield ray
        finally:
            ray.shutdown()


def loaded() -> Any:
    """The module ``ray``, with ``ray.data``.

    Raises:
        MissingExtra: Ray is not installed.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with _without_warnings():
        ray = require("ray", "ray")
        require("ray.data", "ray")
        return ray


def warn_of_waiting(ray: Any, options: RayOptions) -> None:
    """Say that no machine can hold a worker yet: Ray waits for one without end, and without a word."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = options.cpus_per_worker, options.gpus_per_worker
    if not any(room.get("CPU", 0) >= cpus and room.get("GPU", 0) >= gpus for room in machines):
        warnings.warn(
            f"no machine of the cluster has the {cpus:,} CPUs and {gpus:,} GPUs of a worker; waiting for one",
            stacklevel=2,
        )


def _connect(ray: Any, options: RayOptions) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if options.address is None and not os.environ.get("RAY_ADDRESS"):
        cpus = options.most * options.cpus_per_worker
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
        return
    try:
        ray.init(address=options.address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        line = str(error).strip().partition("\n")[0]
        raise InputError(f"address: cannot connect to a Ray cluster: {line}") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Of what Ray itself does that it has deprecated; its threads have the same filters."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"ray(\.|$)")
        yield


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """What Ray Data tells goes to its log file alone; what matters is raised."""
    consoles = [h for h in logging.getLogger("ray.data").handlers if isinstance(h, logging.StreamHandler)]
    levels = [handler.level for handler in consoles]
    for handler in consoles:
        handler.setLevel(logging.CRITICAL)
    try:
        with _without_warnings():
            yield
    finally:
        for handler, level in zip(consoles, levels, strict=True):
            handler.setLevel(level)
