"""Kafka: one node in KRaft mode, broker and controller in one Java process."""

import base64
import functools
import os
import re
import shutil
import socket
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import ClassVar

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.servers.ports import PortLease
from tests.servers.process import Server, find_program, run_once

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
JAVA_VERSION_MIN = 17
ANSWER_SECONDS = 5.0


class KafkaAddress(msgspec.Struct, frozen=True):
    """Where a broker answers."""

    port: int

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def topics(self, prefix: str = "") -> set[str]:
        """Names of the topics that start with a prefix."""
        known = self._client().list_topics(timeout=ANSWER_SECONDS).topics
        return {name for name in known if name.startswith(prefix)}

    def brokers(self) -> int:
        """How many brokers are in service; 0 while the only one still waits to be let in."""
        return len(self._client().list_topics(timeout=ANSWER_SECONDS).brokers)

    def delete_topics(self, prefix: str) -> None:
        """Delete the topics that start with a prefix."""
        names = sorted(self.topics(prefix))
        if names:
            client = self._client()
            for done in client.delete_topics(names, operation_timeout=ANSWER_SECONDS).values():
                done.result()

    def _client(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})


class KafkaServer(Server):
    """`wipe` makes the broker forget everything, as if its disk had been replaced."""

    title: ClassVar[str] = "Kafka"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._controller_lease = PortLease()

    @classmethod
    def missing(cls) -> str:
        if not java_program():
            return f"a Java runtime {JAVA_VERSION_MIN} or newer"
        if not jars_folder().is_dir():
            return f"Kafka {kafka_version()} in {jars_folder()}"
        return "" if find_program("setpriv") else "setpriv (util-linux)"

    @classmethod
    def version(cls) -> str:
        return f"Kafka {kafka_version()} on Java {_java_version(java_program())}"

    @property
    def address(self) -> KafkaAddress:
        return KafkaAddress(self.port)

    @property
    def bootstrap(self) -> str:
        return self.address.bootstrap

    def wipe(self) -> None:
        self.stop()
        shutil.rmtree(self._data)
        self._has_data = False
        self.start()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._controller_lease.release()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _config_path(self) -> Path:
        return self.folder / "server.properties"

    def _make_data(self) -> None:
        controller = f"127.0.0.1:{self._controller_lease.port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": controller,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "log.dirs": str(self._data),
            "auto.create.topics.enable": "false",
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",  # so long does a broker that was killed wait for its own ghost to go
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }
        self._config_path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # With `=`, since an id may begin with a dash.
        asked = ("--standalone", f"--cluster-id={cluster}", "-c", str(self._config_path))
        run_once(self._java("kafka.tools.StorageTool", "format", *asked))

    def _command(self) -> list[str]:
        return self._java("kafka.Kafka", str(self._config_path))

    def _java(self, *arguments: str) -> list[str]:
        flags = ["-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"]
        return [java_program(), *flags, "-cp", f"{jars_folder()}/*", *arguments]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS):
                return self.address.brokers() == 1
        except (OSError, KafkaException):
            return False


def java_program() -> str:
    """A Java that is new enough: of JAVA_HOME, of the PATH, of Debian's folder; empty when there is none."""
    programs = [f"{os.environ.get('JAVA_HOME', '/usr')}/bin/java", find_program("java") or ""]
    programs += sorted(str(path) for path in Path("/usr/lib/jvm").glob("*/bin/java"))
    return next((path for path in programs if Path(path).is_file() and _java_version(path) >= JAVA_VERSION_MIN), "")


@functools.cache
def _java_version(program: str) -> int:
    found = re.search(r'version "(\d+)', run_once([program, "-version"]))
    return int(found[1]) if found else 0


@functools.cache
def kafka_version() -> str:
    """The version that pom.xml names."""
    found = ET.parse(POM).findtext("{*}properties/{*}kafka.version")
    assert found, f"no kafka.version in {POM}"
    return found


def jars_folder() -> Path:
    """Where the jars are once they are installed."""
    return Path.home() / ".cache" / "tmt-test-servers" / f"kafka-{kafka_version()}"
