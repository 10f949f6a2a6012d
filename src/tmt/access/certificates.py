"""Certificates between the services of a desk: an authority of its own, one certificate a service, TLS on both sides.

ca.pem          the authority's certificate
ca.key          its key, mode 600; needed only where certificates are made
<service>.pem   a service's key and certificate in one file, mode 600, so that both are replaced in one step
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tmt.access.secret import read_private, write_private
from tmt.errors import ConfigError
from tmt.ports.clock import Clock

LIFE_DAYS: Final = 90
AUTHORITY_LIFE_DAYS: Final = 3650
_BACKDATED: Final = dt.timedelta(minutes=5)
_SERVICE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_LOOPBACK: Final = ("127.0.0.1", "::1")


class ServiceFiles(NamedTuple):
    """What a service needs: whom it trusts, and who it is. `own` holds the key as well as the certificate."""

    authority: Path
    own: Path


class _Authority(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_certificates(
    folder: Path, services: Iterable[str], clock: Clock, *, renew_all: bool = False
) -> Mapping[str, ServiceFiles]:
    """Make or renew each service's certificate that needs it; at the first time the authority too.

    It needs it when it is missing, not of this authority, or has less than a third of its 90 days left.

    Raises:
        ConfigError: TMT-A017, when a file cannot be used or written, TMT-A012, when a service's name is not usable.
    """
    wanted = tuple(services)
    for service in wanted:
        if _SERVICE.fullmatch(service) is None:
            raise ConfigError("TMT-A012", f"{service!r} is not usable as a service's name")
    with _alone_in(folder):
        now = dt.datetime.fromtimestamp(clock.now_ns() // 1_000_000_000, dt.UTC)
        public, private = folder / "ca.pem", folder / "ca.key"
        if not public.exists():
            _make_authority(public, private, now)
        trusted = _certificate(public)
        due = [each for each in wanted if renew_all or not _is_good(folder / f"{each}.pem", each, trusted, now)]
        if due:
            authority = _authority(trusted, private, now)
            for service in due:
                write_private(folder / f"{service}.pem", _issue(service, authority, now))
    return {service: ServiceFiles(public, folder / f"{service}.pem") for service in wanted}


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One at a time, of all processes that start together: the authority is made once."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError("TMT-A017", f"cannot use the folder: {error.strerror}", where=str(folder)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def server_context(files: ServiceFiles, *, clients_need_certificates: bool = True) -> ssl.SSLContext:
    """For a server: TLS 1.2 or newer; who connects must have a certificate of the authority, unless told otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED if clients_need_certificates else ssl.CERT_NONE
    return _with_files(context, files)


def client_context(files: ServiceFiles) -> ssl.SSLContext:
    """For a client: TLS 1.2 or newer, the server's name checked, and the own certificate shown."""
    return _with_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), files)


class LiveContext:
    """A context that takes a renewed certificate without a restart: connections made from then on show it.

    Attributes:
        context: as `server_context` or `client_context` made it; the same object for ever.
    """

    def __init__(self, context: ssl.SSLContext, files: ServiceFiles) -> None:
        self.context = context
        self._files = files
        self._shown = read_private(files.own)

    def refresh(self) -> bool:
        """Load the certificate again if its file has changed; whether it had. To be called now and then.

        Raises:
            ConfigError: TMT-A017, when the file cannot be used; what was shown before is shown on.
        """
        found = read_private(self._files.own)
        if found == self._shown:
            return False
        _with_files(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._files)  # a bad file must not spoil the good context
        self.context.load_cert_chain(self._files.own)
        self._shown = found
        return True


def expires_at(path: Path) -> dt.datetime:
    """When the certificate in a service's file ends, UTC."""
    return _certificate(path).not_valid_after_utc


def _with_files(context: ssl.SSLContext, files: ServiceFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    read_private(files.own)
    try:
        context.load_verify_locations(files.authority)
        context.load_cert_chain(files.own)
    except (OSError, ssl.SSLError) as error:
        what = f"the certificate cannot be used: {error}"
        raise ConfigError("TMT-A017", what, where=str(files.own), fix="tmt admin certificates --renew") from error
    return context


def _make_authority(public: Path, private: Path, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TMT desk authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(private, _pem(key))
    write_private(public, certificate.public_bytes(Encoding.PEM))
    public.chmod(0o644)


def _issue(service: str, authority: _Authority, now: dt.datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)])
    names = [x509.DNSName("localhost"), x509.DNSName(service)]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in _LOOPBACK]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = authority.certificate
    certificate = (
        _builder(name, issuer.subject, key.public_key(), now, LIFE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(Encoding.PEM)


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _authority(certificate: x509.Certificate, private: Path, now: dt.datetime) -> _Authority:
    try:
        key = load_pem_private_key(read_private(private), None)
    except ValueError as error:
        raise ConfigError("TMT-A017", "the authority's key cannot be read", where=str(private)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigError("TMT-A017", "the authority's key does not belong to its certificate", where=str(private))
    if certificate.not_valid_after_utc < now + dt.timedelta(days=LIFE_DAYS):
        what = f"the authority ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
        fix = "move the folder aside on every machine, and make all certificates anew"
        raise ConfigError("TMT-A017", what, where=str(private), fix=fix)
    return _Authority(certificate, key)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        what = "there is no certificate in the file, or no file"
        raise ConfigError("TMT-A017", what, where=str(path), fix="tmt admin certificates --renew") from error


def _is_good(own: Path, service: str, authority: x509.Certificate, now: dt.datetime) -> bool:
    """Whether a service's file is whole, of this authority, for this service, and has a third of its life left."""
    if not own.exists():
        return False
    pem = read_private(own)
    try:
        certificate, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    named = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if key.public_key() != certificate.public_key() or [each.value for each in named] != [service]:
        return False
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return starts <= now and ends - now >= (ends - starts) / 3
