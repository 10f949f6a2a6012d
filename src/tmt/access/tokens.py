"""Tokens: signed claims of who somebody is. They only name a session; whether it stands is looked up."""

from __future__ import annotations

import secrets
from typing import Final, Literal

import jwt
import msgspec

from tmt.access.refusals import AccessRefused
from tmt.access.roles import Role
from tmt.access.secret import Secret

Audience = Literal["tmt", "tmt-refresh", "tmt-service"]
TOKEN_LENGTH_MAX: Final = 2048
_ALGORITHM: Final = "HS256"
_AUDIENCES: Final[tuple[Audience, ...]] = ("tmt", "tmt-refresh", "tmt-service")
_NS: Final = 1_000_000_000


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token says.

    Attributes:
        iss: the desk's name. aud: what the token is for. sub: a person or a service. sid: the session.
        jti: the token's own id. iat, exp: UTC in seconds. gen: how often the session was refreshed before.
    """

    iss: str
    aud: Audience
    sub: str
    sid: str
    role: Role
    jti: str
    iat: int
    exp: int
    gen: int

    @property
    def expires_at_ns(self) -> int:
        return self.exp * _NS

    @property
    def issued_at_ns(self) -> int:
        return self.iat * _NS


class TokenSigner:
    """Signs and reads claims; one key a purpose, one algorithm, named in advance."""

    def __init__(self, secret: Secret, issuer: str) -> None:
        self._issuer = issuer
        self._keys = {audience: secret.derive(f"token {audience} {issuer}") for audience in _AUDIENCES}

    def issue(self, audience: Audience, sub: str, sid: str, role: Role, now_ns: int, until_ns: int, gen: int) -> str:
        """A token from now until a time, cut to whole seconds."""
        claims = Claims(
            iss=self._issuer,
            aud=audience,
            sub=sub,
            sid=sid,
            role=role,
            jti=secrets.token_hex(8),
            iat=now_ns // _NS,
            exp=until_ns // _NS,
            gen=gen,
        )
        return jwt.encode(msgspec.to_builtins(claims), self._keys[audience], _ALGORITHM)

    def read(self, token: str, *audiences: Audience) -> Claims:
        """The claims of a token that this desk made for one of `audiences`; their times are for the caller to judge.

        Raises:
            AccessRefused: TMT-A002.
        """
        if len(token) <= TOKEN_LENGTH_MAX:
            for audience in audiences:
                claims = self._read(token, audience)
                if claims is not None:
                    return claims
        raise AccessRefused("TMT-A002", "the token is not one of this desk's", status=401, fix="log in again")

    def _read(self, token: str, audience: Audience) -> Claims | None:
        # Times are judged by the caller against the desk's clock and the session's, not by the library's.
        options: jwt.types.Options = {
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp"],
        }
        try:
            said = jwt.decode(
                token, self._keys[audience], [_ALGORITHM], options, audience=audience, issuer=self._issuer
            )
            return msgspec.convert(said, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError):
            return None


def bearer(authorization: str) -> str:
    """The token of an Authorization header.

    Raises:
        AccessRefused: TMT-A001, when it has another scheme.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessRefused("TMT-A001", "the Authorization header must be `Bearer TOKEN`", status=401)
    return token.strip()
