"""Failed log-ins make further ones wait, by name and by address; kept in the store, whatever becomes of the cache."""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

from tmt.access.config import AccessConfig, AttemptLimit
from tmt.access.refusals import too_many
from tmt.access.secret import Secret
from tmt.ports.access_store import AccessStore, Attempts, Records
from tmt.ports.clock import Clock

_NS: Final = 1_000_000_000
_TOPIC: Final = "attempts"
_PURGE_EVERY_NS: Final = 3600 * _NS


class _Counted(NamedTuple):
    before: Attempts
    limit: AttemptLimit


class Reservation(NamedTuple):
    """An attempt that counts as failed until it is known to have succeeded."""

    name: _Counted
    address: _Counted


def delay_ns(failures: int, limit: AttemptLimit) -> int:
    """Wait after so many failures: none while they are free, then 1, 2, 4, ... seconds up to the bound."""
    beyond = failures - limit.free
    if beyond <= 0:
        return 0
    return min(1 << min(beyond - 1, 40), limit.delay_seconds_max) * _NS


class AttemptCounter:
    """Counts an attempt before it is judged, so that guesses at the same moment do not all go free."""

    def __init__(self, store: AccessStore, clock: Clock, config: AccessConfig, secret: Secret) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._key = Secret(secret.derive("attempts"))
        self._purged_ns = 0

    def reserve(self, name: str, address: str) -> Reservation:
        """Count an attempt.

        Raises:
            AccessRefused: TMT-A006, when it comes too early.
        """
        now_ns = self._clock.now_ns()
        with self._store.changing(_TOPIC) as records:
            self._purge(records, now_ns)
            by_name = self._counted(records, f"name {name}", self._config.attempts_per_name, now_ns)
            by_address = self._counted(
                records, f"address {network(address)}", self._config.attempts_per_address, now_ns
            )
            wait_ns = max(by_name.before.next_at_ns, by_address.before.next_at_ns) - now_ns
            if wait_ns > 0:
                raise too_many("TMT-A006", "too many log-ins failed for this name or from this address", wait_ns)
            for counted in (by_name, by_address):
                records.put(_one_more(counted, now_ns))
        return Reservation(by_name, by_address)

    def succeeded(self, reservation: Reservation) -> None:
        """Forgive the name; of the address, only this attempt, lest one's own log-in forgives guesses at others'."""
        with self._store.changing(_TOPIC) as records:
            records.delete(Attempts, reservation.name.before.subject)
            before, limit = reservation.address
            now = records.get(Attempts, before.subject)
            if now is None or now.failures <= 1:
                records.delete(Attempts, before.subject)
                return
            failures = now.failures - 1
            next_at_ns = now.last_at_ns + delay_ns(failures, limit)
            records.put(
                Attempts(subject=before.subject, failures=failures, last_at_ns=now.last_at_ns, next_at_ns=next_at_ns)
            )

    def _counted(self, records: Records, subject: str, limit: AttemptLimit, now_ns: int) -> _Counted:
        hashed = self._key.derive(subject).hex()
        found = records.get(Attempts, hashed)
        if found is None or now_ns - found.last_at_ns > limit.forgotten_after_hours * 3600 * _NS:
            found = Attempts(subject=hashed, failures=0, last_at_ns=now_ns, next_at_ns=0)
        return _Counted(found, limit)

    def _purge(self, records: Records, now_ns: int) -> None:
        if now_ns - self._purged_ns < _PURGE_EVERY_NS:
            return
        hours = max(
            self._config.attempts_per_name.forgotten_after_hours,
            self._config.attempts_per_address.forgotten_after_hours,
        )
        records.purge(Attempts, now_ns - hours * 3600 * _NS)
        self._purged_ns = now_ns


def _one_more(counted: _Counted, now_ns: int) -> Attempts:
    before, limit = counted
    failures = before.failures + 1
    return Attempts(
        subject=before.subject,
        failures=failures,
        last_at_ns=max(now_ns, before.last_at_ns),
        next_at_ns=now_ns + delay_ns(failures, limit),
    )


def network(address: str) -> str:
    """What counts as one place: an IPv4 address, or the 64 bits of an IPv6 one that a subscriber is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
