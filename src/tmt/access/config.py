"""Limits and lives of everything in this room."""

from __future__ import annotations

import msgspec

from tmt.access.roles import Role


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often somebody may ask.

    Attributes:
        requests_per_second: in the long run.
        burst: at once, after a pause.
    """

    requests_per_second: int
    burst: int

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, was {getattr(self, field)}")


class PasswordCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Argon2id's parameters (RFC 9106, section 4).

    Attributes:
        memory_kib: memory of one check.
        passes: over the memory.
        lanes: threads of one check.
        checks_max: checks at a time in one process.
        wait_seconds_max: how long a log-in waits for its turn.
    """

    memory_kib: int
    passes: int
    lanes: int
    checks_max: int
    wait_seconds_max: int

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, was {getattr(self, field)}")
        if self.memory_kib < 8 * self.lanes:
            raise ValueError(f"memory_kib must be at least 8 for each lane, was {self.memory_kib}")


class AttemptLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How failed log-ins slow further ones: free ones, then 1, 2, 4, ... seconds between two.

    Attributes:
        free: failures without delay.
        delay_seconds_max: the longest delay.
        forgotten_after_hours: without any attempt, the count begins anew.
    """

    free: int
    delay_seconds_max: int
    forgotten_after_hours: int

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, was {getattr(self, field)}")


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets in, for how long, and how often they may ask.

    Attributes:
        issuer: name of the desk in its tokens; desks with different names do not take each other's.
        secret_file: holds the desk's secret; empty: access.secret in the state folder, made when it is missing.
        cache_url_file: holds the URL of the Redis that services share; empty: each keeps its own in the process.
        access_token_seconds: life of an access token.
        session_hours: from log-in to the next, however often refreshed.
        service_token_seconds: life of a token between services.
        standing_ms_max: how long a session is taken to stand without looking it up; below a second.
        key_days_max: longest life of an API key.
        password_length_min: characters.
        password_cost: what a check of a password costs.
        attempts_per_name: slows guessing one person's password.
        attempts_per_address: slows guessing many people's from one place.
        bad_credentials_per_address: requests with unusable tokens or keys from one address.
        idempotency_hours: how long answers are kept for repeated requests.
        idempotency_lease_seconds: after which a request that never finished may be made again.
        rates: requests of one person or key, by role.
    """

    issuer: str
    secret_file: str
    cache_url_file: str
    access_token_seconds: int
    session_hours: int
    service_token_seconds: int
    standing_ms_max: int
    key_days_max: int
    password_length_min: int
    password_cost: PasswordCost
    attempts_per_name: AttemptLimit
    attempts_per_address: AttemptLimit
    bad_credentials_per_address: RateLimit
    idempotency_hours: int
    idempotency_lease_seconds: int
    rates: dict[Role, RateLimit]

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field} must be at least 1, was {value}")
        if self.standing_ms_max > 900:
            raise ValueError(f"standing_ms_max must be at most 900, was {self.standing_ms_max}")
        if self.access_token_seconds > 3600:
            raise ValueError(f"access_token_seconds must be at most 3600, was {self.access_token_seconds}")
        if self.password_length_min < 12:
            raise ValueError(f"password_length_min must be at least 12, was {self.password_length_min}")
        missing = [role.value for role in Role if role not in self.rates]
        if missing:
            raise ValueError(f"rates must name every role; missing: {', '.join(missing)}")
