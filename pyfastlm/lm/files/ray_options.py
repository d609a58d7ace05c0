"""How many workers a job has on a Ray cluster, and what each of them gets."""

from dataclasses import dataclass

from pyfastlm.errors import InputError, InputTypeError


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Workers of a job; each is an actor that loads the model once.

    Attributes:
        workers: so many, or the least and the most: Ray Data then starts and ends workers by the work that
            waits for them, and an autoscaling cluster adds and removes machines.
        cpus_per_worker: logical CPUs that Ray reserves for a worker, and its number of threads.
        gpus_per_worker: GPUs, or a part of one; with any, the model is on the GPU.
        address: of a running cluster, as ``ray.init`` takes it (``"auto"``, ``"host:port"``). None: the
            cluster that this process is connected to, or the one that the environment variable RAY_ADDRESS
            names, or one of this machine alone that lasts as long as the job.

    Raises:
        InputError, InputTypeError: an attribute is wrong.
    """

    workers: int | tuple[int, int] = 1
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0
    address: str | None = None

    def __post_init__(self) -> None:
        bounds = self.workers if isinstance(self.workers, tuple) else (self.workers, self.workers)
        if len(bounds) != 2 or not all(_is_whole(bound) for bound in bounds):
            raise InputTypeError(f"workers: expected a whole number, or two in a tuple, got {self.workers!r}")
        if not 1 <= bounds[0] <= bounds[1]:
            raise InputError(f"workers: expected 1 or more, the least before the most, got {self.workers!r}")
        if not _is_whole(self.cpus_per_worker) or self.cpus_per_worker < 1:
            raise InputError(f"cpus_per_worker: expected a whole number >= 1, got {self.cpus_per_worker!r}")
        gpus = self.gpus_per_worker
        if isinstance(gpus, bool) or not isinstance(gpus, int | float) or not 0 <= gpus < float("inf"):
            raise InputError(f"gpus_per_worker: expected a number >= 0, got {gpus!r}")
        if gpus > 1 and gpus != int(gpus):
            raise InputError(f"gpus_per_worker: expected a part of one or whole ones, got {gpus!r}")
        if self.address is not None and (not isinstance(self.address, str) or not self.address):
            raise InputError(f"address: expected that of a cluster, got {self.address!r}")
        if self.address is not None and self.address.startswith("ray://"):
            raise InputError(
                f"address: expected that of a cluster with this machine in it, got {self.address!r} of a "
                "client; run the job on a machine of the cluster (ray job submit does)"
            )

    @property
    def least(self) -> int:
        """Workers that the job starts with."""
        return self.workers[0] if isinstance(self.workers, tuple) else self.workers

    @property
    def most(self) -> int:
        """Workers that it may have."""
        return self.workers[1] if isinstance(self.workers, tuple) else self.workers


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
