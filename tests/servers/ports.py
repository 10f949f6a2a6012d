"""Ports of 127.0.0.1, each leased to one server at a time on the whole machine."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Self

# Below the ports that Linux gives to outgoing connections (32768 on), so that a server that is down keeps its own.
PORTS = range(20_000, 32_768)


class PortLease:
    """A free port that no other lease has until `release`, or until this process ends."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"tmt-test-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for port in PORTS:
            lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)
            if _locked(lock) and _free(port):
                self.port = port
                self._lock = lock
                return
            os.close(lock)
        raise RuntimeError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")

    def release(self) -> None:
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
