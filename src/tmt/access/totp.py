"""One-time codes (RFC 6238): 30 seconds, six digits, one step of tolerance, each code once."""

from __future__ import annotations

import hmac
import re
from typing import Final

import msgspec
import pyotp

from tmt.access.sealing import Sealer
from tmt.access.secret import Secret
from tmt.ports.access_store import User

_STEP_NS: Final = 30_000_000_000
_TOLERANCE_STEPS: Final = 1
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


class OneTimeCodes:
    """Secrets of one-time codes, encrypted where they are stored, and the codes they make."""

    def __init__(self, secret: Secret) -> None:
        self._sealer = Sealer(secret, "one-time codes")

    def enrol(self, user: User) -> tuple[User, Secret]:
        """The person with a new secret, not yet confirmed; and the secret in base 32."""
        made = pyotp.random_base32()
        sealed = self._sealer.seal(made.encode(), user.name)
        return msgspec.structs.replace(user, totp_sealed=sealed, totp_confirmed=False, totp_step=0), Secret(made)

    def used(self, user: User, code: str, now_ns: int) -> User | None:
        """The person after using `code` now; None when it is wrong, or not newer than the last one used."""
        if not user.totp_sealed or _CODE.fullmatch(code) is None:
            return None
        codes = pyotp.TOTP(self._sealer.unseal(user.totp_sealed, user.name).decode())
        now_step = now_ns // _STEP_NS
        for step in range(now_step - _TOLERANCE_STEPS, now_step + _TOLERANCE_STEPS + 1):
            right = hmac.compare_digest(codes.at(step * 30), code)
            if right and step > user.totp_step:
                return msgspec.structs.replace(user, totp_step=step)
        return None


def address(name: str, secret: Secret, issuer: str) -> str:
    """The address that an authenticator reads, most often from a picture; as secret as the secret."""
    return pyotp.TOTP(secret.text()).provisioning_uri(name=name, issuer_name=issuer)
