"""Sealed bytes: what the store keeps and only the desk can read."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tmt.access.secret import Secret
from tmt.errors import ConfigError

_NONCE_BYTES: Final = 12


class Sealer:
    """AES-256-GCM with a key of its own, derived from the desk's secret for one purpose."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        self._cipher = AESGCM(secret.derive(f"seal {purpose}"))
        self._purpose = purpose

    def seal(self, plain: bytes, owner: str) -> bytes:
        """`plain`, sealed for `owner`: moved to another owner, it does not open."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, owner.encode())

    def unseal(self, sealed: bytes, owner: str) -> bytes:
        """What was sealed.

        Raises:
            ConfigError: TMT-A017, when it was sealed with another secret, for another owner, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError) as error:
            what = f"sealed {self._purpose} do not open: the desk's secret is another one, or they were changed"
            raise ConfigError("TMT-A017", what, fix="bring the secret back with which they were sealed") from error
