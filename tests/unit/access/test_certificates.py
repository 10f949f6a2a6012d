"""Certificates: in handshakes with real sockets only what the desk's authority made, and has not ended, counts."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509

from tests.unit.access.desk import SECOND_NS, HandClock
from tmt.access.certificates import (
    LIFE_DAYS,
    LiveContext,
    ServiceFiles,
    client_context,
    ensure_certificates,
    expires_at,
    server_context,
)
from tmt.adapters.clock.system import SystemClock
from tmt.errors import ConfigError

DAY_NS = 86_400 * SECOND_NS


@pytest.fixture
def clock() -> HandClock:
    return HandClock(SystemClock().now_ns())


@pytest.fixture
def files(tmp_path: Path, clock: HandClock) -> dict[str, ServiceFiles]:
    return dict(ensure_certificates(tmp_path / "tls", ("engine", "gateway"), clock))


class Met(NamedTuple):
    """One handshake and a message each way: what each side saw of the other."""

    server: bytes | None
    client: bytes | None
    version: str | None


def meet(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "127.0.0.1") -> Met:
    """Connect for real.

    Raises:
        OSError: of the side that refused; the other only sees the connection end.
    """
    seen: list[bytes | None] = []
    failed: list[OSError] = []

    def serve(listening: socket.socket) -> None:
        try:
            plain, _ = listening.accept()
            plain.settimeout(10)
            with plain, server.wrap_socket(plain, server_side=True) as connection:
                seen.append(connection.getpeercert(binary_form=True))
                connection.sendall(connection.recv(4))
        except OSError as error:
            failed.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=10) as plain,
                client.wrap_socket(plain, server_hostname=name) as connection,
            ):
                connection.sendall(b"ping")
                answer = connection.recv(4)
                shown, version = connection.getpeercert(binary_form=True), connection.version()
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            thread.join()
            raise failed[0] from None
        finally:
            thread.join()
    assert answer == b"ping"
    return Met(seen[0], shown, version)


def name_in(certificate: bytes | None) -> str:
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "engine"])
def test_two_services_of_a_desk_know_each_other(files: dict[str, ServiceFiles], name: str) -> None:
    met = meet(server_context(files["engine"]), client_context(files["gateway"]), name)
    assert (name_in(met.client), name_in(met.server)) == ("CN=engine", "CN=gateway")
    assert met.version == "TLSv1.3"


def test_another_name_than_the_servers_is_refused(files: dict[str, ServiceFiles]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        meet(server_context(files["engine"]), client_context(files["gateway"]), "storage")


@pytest.mark.parametrize("stranger", ["server", "client"])
def test_a_certificate_of_another_authority_is_refused(
    files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock, stranger: str
) -> None:
    foreign = ensure_certificates(tmp_path / "foreign", ("engine",), clock)["engine"]
    disguised = ServiceFiles(files["engine"].authority, foreign.own)
    server = server_context(disguised if stranger == "server" else files["engine"])
    client = client_context(disguised if stranger == "client" else files["gateway"])
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate verify failed|unknown ca"):
        meet(server, client)


def test_a_client_without_a_certificate_is_refused_unless_it_may(files: dict[str, ServiceFiles]) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(files["engine"].authority)
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required|did not return a certificate"):
        meet(server_context(files["engine"]), bare)
    assert meet(server_context(files["engine"], clients_need_certificates=False), bare).server is None


@pytest.mark.parametrize("ended", ["server", "client"])
def test_a_certificate_that_has_ended_is_refused(
    files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock, ended: str
) -> None:
    clock.time_ns -= (LIFE_DAYS + 1) * DAY_NS
    old = ensure_certificates(tmp_path / "tls", ("engine", "gateway"), clock, renew_all=True)
    clock.time_ns += (LIFE_DAYS + 1) * DAY_NS
    servers = ensure_certificates(tmp_path / "tls", ("gateway" if ended == "server" else "engine",), clock)
    service = "engine" if ended == "server" else "gateway"
    pair = {**old, **servers}
    assert expires_at(pair[service].own).timestamp() * SECOND_NS < clock.time_ns
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate has expired|certificate expired"):
        meet(server_context(pair["engine"]), client_context(pair["gateway"]))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_newer_are_spoken(files: dict[str, ServiceFiles], version: ssl.TLSVersion) -> None:
    client = client_context(files["gateway"])
    client.maximum_version = version
    assert meet(server_context(files["engine"]), client).version == version.name.replace("_", ".")


def test_contexts_take_nothing_older_and_no_weak_cipher(files: dict[str, ServiceFiles]) -> None:
    for context in (server_context(files["engine"]), client_context(files["gateway"])):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        names = [cipher["name"] for cipher in context.get_ciphers()]
        assert names
        assert all("GCM" in name or "CHACHA20" in name for name in names)
        assert all(name.startswith(("ECDHE", "TLS_")) for name in names)


def serial(files: ServiceFiles) -> int:
    return x509.load_pem_x509_certificate(files.own.read_bytes()).serial_number


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (59, False), (61, True), (200, True)])
def test_a_certificate_is_renewed_when_less_than_a_third_of_its_life_is_left(
    files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock, days: int, renewed: bool
) -> None:
    before = serial(files["engine"])
    clock.time_ns += days * DAY_NS
    after = serial(ensure_certificates(tmp_path / "tls", ("engine",), clock)["engine"])
    assert (after != before) is renewed


def test_a_running_server_shows_the_renewed_certificate_to_the_next_client(
    files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock
) -> None:
    live = LiveContext(server_context(files["engine"]), files["engine"])
    client = client_context(files["gateway"])
    before = meet(live.context, client).client
    assert not live.refresh()
    ensure_certificates(tmp_path / "tls", ("engine",), clock, renew_all=True)
    assert meet(live.context, client).client == before
    assert live.refresh()
    after = meet(live.context, client).client
    assert after != before
    assert name_in(after) == "CN=engine"
    assert not live.refresh()


def test_a_broken_renewal_leaves_the_old_certificate_in_use(files: dict[str, ServiceFiles]) -> None:
    live = LiveContext(server_context(files["engine"]), files["engine"])
    key_alone = files["engine"].own.read_bytes().split(b"-----BEGIN CERT")[0]
    files["engine"].own.write_bytes(key_alone)
    with pytest.raises(ConfigError) as caught:
        live.refresh()
    assert caught.value.code == "TMT-A017"
    assert name_in(meet(live.context, client_context(files["gateway"])).client) == "CN=engine"


def test_keys_are_for_their_owner_alone(files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "engine.pem": 0o600, "gateway.pem": 0o600}
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    files["engine"].own.chmod(0o640)
    for use in (
        lambda: server_context(files["engine"]),
        lambda: ensure_certificates(tmp_path / "tls", ("engine",), clock),
    ):
        with pytest.raises(ConfigError, match="others may read it"):
            use()


def test_a_service_without_the_authoritys_key_goes_on_until_a_renewal_is_due(
    files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock
) -> None:
    (tmp_path / "tls" / "ca.key").unlink()
    assert dict(ensure_certificates(tmp_path / "tls", ("engine",), clock)) == {"engine": files["engine"]}
    clock.time_ns += 61 * DAY_NS
    with pytest.raises(ConfigError) as caught:
        ensure_certificates(tmp_path / "tls", ("engine",), clock)
    assert caught.value.code == "TMT-A017"


@pytest.fixture(params=["other service", "no certificate", "other key", "other authority"])
def spoiled(
    request: pytest.FixtureRequest, files: dict[str, ServiceFiles], tmp_path: Path, clock: HandClock
) -> ServiceFiles:
    engine, gateway = files["engine"].own, files["gateway"].own.read_bytes()
    key, mark, certificate = engine.read_bytes().partition(b"-----BEGIN CERTIFICATE")
    foreign_key = gateway.partition(b"-----BEGIN CERTIFICATE")[0]
    foreign = ensure_certificates(tmp_path / "foreign", ("engine",), clock)["engine"].own.read_bytes()
    content = {
        "other service": gateway,
        "no certificate": key,
        "other key": foreign_key + mark + certificate,
        "other authority": foreign,
    }
    engine.write_bytes(content[str(request.param)])
    return files["engine"]


def test_a_spoiled_file_is_made_anew(spoiled: ServiceFiles, tmp_path: Path, clock: HandClock) -> None:
    made = ensure_certificates(tmp_path / "tls", ("engine", "gateway"), clock)
    assert made["engine"] == spoiled
    assert name_in(meet(server_context(made["engine"]), client_context(made["gateway"])).client) == "CN=engine"


def test_services_that_start_together_make_one_authority(tmp_path: Path, clock: HandClock) -> None:
    services = [f"service-{number}" for number in range(12)]

    def make(service: str) -> ServiceFiles:
        return ensure_certificates(tmp_path / "tls", [service], clock)[service]

    with ThreadPoolExecutor(12) as threads:
        made = dict(zip(services, threads.map(make, services), strict=True))
    before = {service: serial(files) for service, files in made.items()}
    again = ensure_certificates(tmp_path / "tls", services, clock)
    assert {service: serial(files) for service, files in again.items()} == before
    meet(server_context(made["service-0"]), client_context(made["service-11"]))


def test_an_authority_that_was_half_made_is_made_anew(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.key").write_bytes(b"half")
    made = ensure_certificates(tmp_path / "tls", ("engine", "gateway"), clock)
    meet(server_context(made["engine"]), client_context(made["gateway"]))


def test_no_service_is_named_out_of_the_folder(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(ConfigError) as caught:
        ensure_certificates(tmp_path / "tls", ("../engine",), clock)
    assert caught.value.code == "TMT-A012"
