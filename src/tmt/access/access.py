"""Access: who is asking, and may they? One object a process, used from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from tmt.access import audit, keys
from tmt.access.attempts import AttemptCounter, network
from tmt.access.audit import Audit
from tmt.access.config import AccessConfig
from tmt.access.idempotency import Idempotency
from tmt.access.keys import Keys
from tmt.access.passwords import Passwords
from tmt.access.people import TOPIC, People
from tmt.access.rates import RateLimiter
from tmt.access.refusals import AccessRefused
from tmt.access.roles import PERMISSIONS, Operation, Principal, Role
from tmt.access.secret import Secret
from tmt.access.sessions import Sessions, expired
from tmt.access.tokens import Claims, TokenSigner, bearer
from tmt.access.totp import OneTimeCodes
from tmt.ports.access_store import AccessStore, ApiKey, Session, User
from tmt.ports.cache import Cache
from tmt.ports.clock import Clock

_NS: Final = 1_000_000_000
_CLOCKS_APART_NS_MAX: Final = 5 * _NS


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a log-in or refresh gives.

    Attributes:
        access_token: for `Authorization: Bearer`.
        expires_at_ns: of the access token.
        refresh_token: good once, for the next pair.
        session_id: to revoke it by.
        must_change_password: nothing else is permitted until then.
    """

    access_token: str
    expires_at_ns: int
    refresh_token: str
    session_id: str
    must_change_password: bool

    def __repr__(self) -> str:
        return f"Tokens(session_id={self.session_id!r})"


class Access:
    """Lets people, programs and services in, and keeps them out.

    `log_in` and changes of passwords take about 0.1 s of a processor on purpose; an event loop runs them in `slow`, so
    that no flood of them takes the threads of everything else, which is quick. A store that does not answer raises
    StoreUnavailable, which never lets anybody in.

    Args:
        store: the truth.
        cache: may save looking up whether a session stands, for `standing_ms_max`.
        secret: the desk's; every key of this room is derived from it, so all services of a desk need the same.

    Attributes:
        people, keys, audit, idempotency: see their classes.
        slow: threads, as many as passwords are checked at a time.
    """

    def __init__(self, store: AccessStore, cache: Cache, clock: Clock, config: AccessConfig, secret: Secret) -> None:
        self.config = config
        self._store = store
        self._cache = cache
        self._clock = clock
        self._tokens = TokenSigner(secret, config.issuer)
        self._codes = OneTimeCodes(secret)
        self._passwords = Passwords(config)
        self.slow = ThreadPoolExecutor(config.password_cost.checks_max, thread_name_prefix="passwords")
        self._attempts = AttemptCounter(store, clock, config, secret)
        self._rates = RateLimiter(clock)
        self.audit = Audit(store, clock, secret)
        self._sessions = Sessions(store, cache, clock, config, secret, self.audit)
        changed = self._sessions.changed
        self.people = People(store, clock, self._passwords, self._attempts, self._codes, self.audit, changed)
        self.keys = Keys(store, clock, config, secret, self.audit, changed)
        self.idempotency = Idempotency(store, clock, config, secret)

    def log_in(self, name: str, password: str, totp: str | None, address: str) -> Tokens:
        """Begin a session.

        Raises:
            AccessRefused: TMT-A005 when anything is wrong, TMT-A006 when it comes too early, TMT-A021 when only a
                one-time code is missing, TMT-A022 when too many are checked at a time.
        """
        with self._passwords.turn():
            reservation = self._attempts.reserve(name, address)
            with self._store.reading() as records:
                user = records.get(User, name[:64])
            known = None if user is None or user.disabled else user
            right = self._passwords.matches(None if known is None else known.password_hash, password)
            outdated = known is not None and right and self._passwords.is_outdated(known.password_hash)
            rehashed = self._passwords.hash(password) if outdated else None
        if known is None or not right:
            raise self._failed(user, address)
        if known.totp_confirmed and not totp:
            raise AccessRefused("TMT-A021", "a one-time code is needed", status=401, fix="log in with one")
        session = self._begin(known, totp, address, rehashed)
        if session is None:
            raise self._failed(known, address)
        self._attempts.succeeded(reservation)
        return self._issue(session, known)

    def _begin(self, checked: User, totp: str | None, address: str, rehashed: str | None) -> Session | None:
        """A session for a person whose password was right; None when the code is not, or they changed meanwhile."""
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            user = records.get(User, checked.name)
            if user is None or user.disabled or user.generation != checked.generation:
                return None
            if user.totp_confirmed:
                user = self._codes.used(user, totp or "", self._clock.now_ns())
                if user is None:
                    return None
            if rehashed is not None:
                user = msgspec.structs.replace(user, password_hash=rehashed)
            records.put(user)
            method = "password+totp" if user.totp_confirmed else "password"
            session = self._sessions.begin(records, user, method, address)
            detail = {"address": network(address), "session": session.session_id}
            self.audit.append_to(records, user.name, method, "log in", user.name, "done", detail)
        return session

    def _failed(self, user: User | None, address: str) -> AccessRefused:
        # A name that nobody has is not kept: people type passwords into the wrong field.
        name = "nobody known" if user is None else user.name
        self.audit.append(name, "password", "log in", name, "failed", {"address": network(address)})
        return AccessRefused("TMT-A005", "name, password or one-time code is wrong", status=401)

    def _issue(self, session: Session, user: User) -> Tokens:
        now_ns = max(self._clock.now_ns(), session.seen_ns)
        until_ns = min(now_ns + self.config.access_token_seconds * _NS, session.expires_at_ns)
        role, sid, gen = Role(user.role), session.session_id, session.refreshes
        return Tokens(
            access_token=self._tokens.issue("tmt", user.name, sid, role, now_ns, until_ns, gen),
            expires_at_ns=until_ns // _NS * _NS,
            refresh_token=self._tokens.issue("tmt-refresh", user.name, sid, role, now_ns, session.expires_at_ns, gen),
            session_id=sid,
            must_change_password=user.must_change_password,
        )

    def refresh(self, refresh_token: str) -> Tokens:
        """A new pair of tokens. A refresh token works once; a second use ends the session.

        Raises:
            AccessRefused: TMT-A002, TMT-A003, TMT-A004, TMT-A010.
        """
        claims = self._tokens.read(refresh_token, "tmt-refresh")
        session, user = self._sessions.refresh(claims.sid, claims.gen)
        return self._issue(session, user)

    def authenticate(self, authorization: str | None, api_key: str | None, address: str) -> Principal:
        """Who sends a request with these headers, from this address.

        Raises:
            AccessRefused: TMT-A001 to TMT-A004 with status 401; after many TMT-A002, TMT-A008 with status 429.
        """
        try:
            if authorization is not None and api_key is not None:
                raise AccessRefused("TMT-A001", "send Authorization or X-API-Key, not both", status=401)
            if authorization is not None:
                return self._by_token(bearer(authorization))
            if api_key is not None:
                return self._by_key(api_key)
        except AccessRefused as error:
            if error.code == "TMT-A002":
                self._rates.admit(f"bad {network(address)}", self.config.bad_credentials_per_address)
            raise
        fix = "log in and send `Authorization: Bearer TOKEN`, or send `X-API-Key: KEY`"
        raise AccessRefused("TMT-A001", "the request says not who asks", status=401, fix=fix)

    def _by_token(self, token: str) -> Principal:
        claims = self._tokens.read(token, "tmt", "tmt-service")
        if claims.aud == "tmt-service":
            return self._service(claims)
        standing = self._sessions.standing(Session, claims.sid)
        self._check_issued(claims, standing.seen_ns)
        return self._sessions.judged(Session, claims.sid, standing, claims.expires_at_ns)

    def _service(self, claims: Claims) -> Principal:
        self._check_issued(claims, 0)
        if self._clock.now_ns() >= claims.expires_at_ns:
            raise expired()
        return Principal(name=claims.sub, role=Role.SERVICE, accounts=(), method="service", session_id=claims.sid)

    def _check_issued(self, claims: Claims, seen_ns: int) -> None:
        if claims.issued_at_ns > max(self._clock.now_ns(), seen_ns) + _CLOCKS_APART_NS_MAX:
            raise AccessRefused("TMT-A002", "the token comes from the future", status=401, fix="set the clocks right")

    def _by_key(self, presented: str) -> Principal:
        key_id, digest = self.keys.named_by(presented)
        standing = self._sessions.standing(ApiKey, key_id)
        if not keys.is_same(standing.digest, digest):
            raise keys.unknown_key()
        return self._sessions.judged(ApiKey, key_id, standing, standing.expires_at_ns)

    def service_token(self, service: str) -> str:
        """A token for calls from one service of the desk to another; make a new one before it expires."""
        now_ns = self._clock.now_ns()
        until_ns = now_ns + self.config.service_token_seconds * _NS
        return self._tokens.issue("tmt-service", service, service, Role.SERVICE, now_ns, until_ns, 0)

    def demand(self, principal: Principal, operation: Operation, account: str | None = None) -> None:
        """Refuse what is not permitted; all but looking is noted in the audit trail.

        Raises:
            AccessRefused: TMT-A007 or TMT-A009, with status 403.
        """
        if principal.may(operation, account):
            return
        if operation is not Operation.READ:
            detail = {"role": principal.role.value, "session": principal.session_id}
            subject = operation.value if account is None else f"{operation.value} {account}"
            self.audit.append(principal.name, principal.method, "use the desk", subject, "refused", detail)
        if principal.must_change_password:
            raise AccessRefused("TMT-A009", "the password must be changed first", status=403, fix="change it")
        if operation not in PERMISSIONS[principal.role]:
            raise AccessRefused("TMT-A007", f"the role {principal.role} may not {operation}", status=403)
        raise AccessRefused("TMT-A007", "the account is not among yours", status=403)

    def admit(self, principal: Principal) -> None:
        """Count a request against the rate of a person, key or service.

        Raises:
            AccessRefused: TMT-A008 with status 429.
        """
        asker = principal.session_id if principal.method == "api_key" else principal.name
        self._rates.admit(f"{principal.method} {asker}", self.config.rates[principal.role])

    def log_out(self, principal: Principal) -> None:
        """End the principal's session; keys and services have none."""
        if principal.method.startswith("password"):
            self._sessions.end(principal.session_id, by=principal, action="log out")

    def revoke(
        self, *, by: Principal, session_id: str | None = None, user: str | None = None, key: str | None = None
    ) -> None:
        """End a session, all of a person's, or a key: here at once, in other processes within `standing_ms_max`.

        Raises:
            InputError: TMT-A013.
        """
        if session_id is not None:
            self._sessions.end(session_id, by=by, action="revoke session")
        if user is not None:
            self.people.end_sessions(user, by=by)
        if key is not None:
            self.keys.revoke(key, by=by)

    def close(self) -> None:
        """Release threads, store and cache. Closing twice is allowed."""
        self.slow.shutdown(cancel_futures=True)
        self._cache.close()
        self._store.close()
