"""Install what the servers for tests need, and say what is there: `python -m tests.servers.install`.

PostgreSQL, Redis, Java and Maven come from apt-get, which needs root; Kafka's jars come from Maven Central into the
user's cache folder. What is there already is left alone, and no service is started.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.kafka import POM, KafkaServer, jars_folder, java_program
from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, ServerFailed, find_program, run_once
from tests.servers.redis import RedisServer

KINDS: tuple[type[Server], ...] = (PostgresServer, RedisServer, KafkaServer)
JAVA_PACKAGES = ("openjdk-21-jre-headless", "openjdk-17-jre-headless")
SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
DOWNLOAD_SECONDS_MAX = 900.0


def missing_packages() -> list[str]:
    """Debian packages that have to be installed first."""
    packages = []
    if PostgresServer.missing():
        packages.append("postgresql")
    if RedisServer.missing():
        packages.append("redis-server")
    if not java_program():
        packages.append(_known_package(JAVA_PACKAGES))
    if not jars_folder().is_dir() and find_program("mvn") is None:
        packages.append("maven")
    return packages


def install_packages(packages: list[str]) -> None:
    """Install Debian packages, without starting the services that are in them."""
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with _no_services():
        print(f"installing {' '.join(packages)}", flush=True)
        run_once(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], seconds_max=DOWNLOAD_SECONDS_MAX
        )


def fetch_jars() -> None:
    """Put Kafka's jars into the cache folder: all of them or none."""
    mvn = find_program("mvn")
    if mvn is None:
        raise ServerFailed("Maven, which fetches Kafka's jars, is missing")
    folder = jars_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching Kafka's jars into {folder}", flush=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars = Path(scratch) / "jars"
        command = [mvn, "-q", "-B", "--strict-checksums", "-f", str(POM), "dependency:copy-dependencies"]
        run_once([*command, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"], seconds_max=DOWNLOAD_SECONDS_MAX)
        try:
            jars.rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody else was faster
                raise


@contextmanager
def _no_services() -> Iterator[None]:
    """Debian asks this program before it starts a service; where there is one already it decides."""
    if SERVICE_POLICY.exists():
        yield
        return
    SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n", "utf-8")
    SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        SERVICE_POLICY.unlink()


def _known_package(names: tuple[str, ...]) -> str:
    for name in names if find_program("apt-cache") else ():
        if subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0:
            return name
    return names[-1]


def main() -> int:
    """Exit status: 0 when every server can be started."""
    try:
        can_install = os.geteuid() == 0 and find_program("apt-get") is not None
        if can_install and missing_packages():
            run_once(["apt-get", "update", "-qq"], seconds_max=DOWNLOAD_SECONDS_MAX)
        if packages := missing_packages():
            if not can_install:
                raise ServerFailed(f"not root on Debian, so install these yourself: {' '.join(packages)}")
            install_packages(packages)
        if not jars_folder().is_dir():
            fetch_jars()
    except (ServerFailed, subprocess.TimeoutExpired, OSError) as error:
        print(f"servers for tests: {error}", file=sys.stderr)
    for kind in KINDS:
        print(f"{kind.title}: {kind.version() if not kind.missing() else f'cannot start, missing: {kind.missing()}'}")
    return int(any(kind.missing() for kind in KINDS))


if __name__ == "__main__":
    sys.exit(main())
