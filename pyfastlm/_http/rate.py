"""Who asks: how often one address may (token buckets), and by which names."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

MOST_ADDRESSES = 10_000  # remembered; of more, those that asked longest ago are forgotten


class Buckets:
    """A bucket of ``burst`` requests for each address, filled again with ``rate`` requests a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._level: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Take one request from the bucket of ``address``: 0, or whole seconds after which there is one."""
        now, key = self._clock(), _network(address)
        level, since = self._level.pop(key, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        allowed = level >= 1
        self._level[key] = (level - allowed, now)
        if len(self._level) > MOST_ADDRESSES:
            self._level.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - level) / self.rate))


def is_loopback(address: str) -> bool:
    """Whether ``address`` or host name is this machine for itself only."""
    ip = _ip(address)
    return address == "localhost" if ip is None else ip.is_loopback


def own_names(host: str, hosts: Collection[str] | None) -> Collection[str] | None:
    """Names of a server at ``host``: ``hosts``, by default none at a loopback address, and any elsewhere."""
    return () if hosts is None and is_loopback(host) else hosts


def _network(address: str) -> str:
    """One key for all addresses of a customer: of IPv6 the first 64 bits."""
    ip = _ip(address)
    return f"{int(ip) >> 64:x}::/64" if isinstance(ip, IPv6Address) else address if ip is None else str(ip)


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    # An IPv4 client of an IPv6 socket.
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip
