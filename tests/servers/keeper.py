"""One server for all processes of a test run, kept by a process of its own while anybody holds a line to it.

The keeper listens on an abstract Unix socket named after the run. Whoever needs the server connects, is told its
address when it answers, and hangs up at the end; the kernel hangs up for those who are killed. With the last line gone
the keeper stops the server, lets go of that line and ends. Where nobody listens the caller starts a keeper: binding
the name decides between several.
"""

import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, ServerFailed
from tests.servers.redis import RedisServer

KINDS: dict[str, type[Server]] = {kind.__name__: kind for kind in (PostgresServer, KafkaServer, RedisServer)}
REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_LINE_SECONDS = 60.0
ANSWER_SECONDS = 180.0
ATTEMPTS_MAX = 20


class Answer(msgspec.Struct, frozen=True):
    """What a keeper says on a new line: where its server answers, or why there is none."""

    address: msgspec.Raw = msgspec.Raw(b"null")
    failure: str = ""


@contextmanager
def shared(kind: type[Server], run: str, folder: Path) -> Iterator[bytes]:
    """The address, in JSON, of the run's server of a kind; it lives at least until the block ends.

    Args:
        kind: the class of the server.
        run: what all processes of one test run have in common, and no other run has.
        folder: where the server's data and log go.

    Raises:
        ServerFailed: the server did not start.
    """
    name = f"\0tmt-test-{run}-{kind.__name__}"
    for _ in range(ATTEMPTS_MAX):
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(name)
            except ConnectionRefusedError:
                _start_keeper(kind, run, folder)
                continue
            line.settimeout(ANSWER_SECONDS)
            answer = _answer_on(line)
            if answer is None:
                continue
            if answer.failure:
                raise ServerFailed(answer.failure)
            try:
                yield bytes(answer.address)
            finally:
                line.shutdown(socket.SHUT_WR)
                line.recv(1)  # the keeper lets go of the last line when its server has stopped
            return
    raise ServerFailed(f"{kind.title}: no keeper stayed for {ATTEMPTS_MAX} attempts; see {folder}")


def _answer_on(line: socket.socket) -> Answer | None:
    """The keeper's answer; None when it hung up, because it was about to end."""
    try:
        with line.makefile("rb") as stream:
            text = stream.readline()
    except ConnectionResetError:
        return None
    return msgspec.json.decode(text, type=Answer) if text.endswith(b"\n") else None


def _start_keeper(kind: type[Server], run: str, folder: Path) -> None:
    """Returns when somebody listens on the name: this keeper or, where it came too late, another."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.servers.keeper", kind.__name__, run, str(folder)]
    with (folder / "keeper.log").open("ab") as log:
        subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


def keep(kind: type[Server], listener: socket.socket, folder: Path) -> None:
    """Start a server, tell everybody on the listener where it is, and stop it when the last of them has hung up."""
    server: Server = kind(folder)
    try:
        server.start()
        answer = Answer(address=msgspec.Raw(msgspec.json.encode(server.address)))
    except Exception as error:  # noqa: BLE001 (whoever waits for the server is to see it)
        answer = Answer(failure=f"{type(error).__name__}: {error}")
    last = _until_nobody_is_left(listener, msgspec.json.encode(answer) + b"\n")
    server.close()
    if last is not None:
        last.close()


def _until_nobody_is_left(listener: socket.socket, greeting: bytes) -> socket.socket | None:
    lines: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector, listener:
        selector.register(listener, selectors.EVENT_READ)
        while ready := selector.select(None if lines else FIRST_LINE_SECONDS):
            for key, _ in ready:
                if key.fileobj is listener:
                    line, _ = listener.accept()
                    selector.register(line, selectors.EVENT_READ, line)
                    lines.add(line)
                    with suppress(BrokenPipeError, ConnectionResetError):
                        line.sendall(greeting)
                    continue
                hung_up: socket.socket = key.data
                selector.unregister(hung_up)
                lines.remove(hung_up)
                if not lines:
                    return hung_up
                hung_up.close()
    return None


def main(kind_name: str, run: str, folder: str) -> None:
    """Bind the name, then go on in the background."""
    kind = KINDS[kind_name]
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(f"\0tmt-test-{run}-{kind.__name__}")
    except OSError:  # another keeper has it
        listener.close()
        return
    listener.listen(1024)
    if os.fork() == 0:
        os.setsid()
        keep(kind, listener, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
