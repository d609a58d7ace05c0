"""A request that is not answered, and why."""


class Refused(Exception):
    """A request that gets an error of the client: its status, and one line that says why."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
