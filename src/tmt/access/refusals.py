"""Why access is refused, and every error code of this room."""

from __future__ import annotations

from typing import Final

from tmt.errors import InputError, TmtError

ERROR_CODES: Final = {
    "TMT-A001": "The request says not who asks. Log in and send `Authorization: Bearer TOKEN`, or send `X-API-Key: "
    "KEY`.",
    "TMT-A002": "The token or key is not one of this desk's, or was tampered with. Log in again.",
    "TMT-A003": "The token or key has expired. Refresh it, log in again, or make a new key.",
    "TMT-A004": "The session or key was revoked, its owner disabled, or their role changed. Log in again.",
    "TMT-A005": "Name, password or one-time code is wrong; it is not said which. A code counts once only.",
    "TMT-A006": "Too many log-ins failed for this name or from this address. Each further one makes the wait longer, "
    "up to a bound; wait as long as the answer says.",
    "TMT-A007": "Your role or your accounts do not permit this. `PERMISSIONS` in tmt/access/roles.py is the whole "
    "table.",
    "TMT-A008": "Too many requests in a short time. Wait as long as the answer says; access.yml has the limits.",
    "TMT-A009": "The password was made by the program or another person, and must be changed before anything else.",
    "TMT-A010": "A refresh token was used a second time, so somebody may have copied it: the session was revoked. Log "
    "in again.",
    "TMT-A011": "The password is not usable: too short, too long, too uniform, or contains the name.",
    "TMT-A012": "A name, label, account or duration given for a person or key is not usable.",
    "TMT-A013": "There is no such person, key or session.",
    "TMT-A014": "There is a person of that name already.",
    "TMT-A015": "A key may do no more than its owner: a role within theirs, accounts among theirs.",
    "TMT-A016": "The store of people, keys and sessions cannot be read or written; nobody is let in until it can. "
    "Check the disk and the permissions of the state folder, or the database.",
    "TMT-A017": "A file with a secret or key is missing, empty, of the wrong form, or readable by others. Its mode "
    "must be 600; `tmt admin certificates` renews certificates.",
    "TMT-A018": "The audit trail is not what was written: an entry was edited, removed, moved or put in. Keep the "
    "store as it is and find out who could write it.",
    "TMT-A019": "The one-time code is wrong, or one-time codes are not set up as this needs: enrol, then confirm.",
    "TMT-A020": "An idempotency key has 1 to 200 printable characters without spaces.",
    "TMT-A021": "The password is right, and a one-time code is needed as well.",
    "TMT-A022": "As many log-ins are being checked as the desk checks at a time. Try again in a moment.",
    "TMT-A023": "The last person who may administer cannot be disabled or given another role.",
}
"""Code -> meaning, for `tmt explain`."""


class AccessRefused(TmtError):
    """Somebody may not do what they asked.

    Args:
        code: one of ERROR_CODES.
        what: what is refused, without any secret.
        status: 401 who are you, 403 not you, 429 not so often.
        retry_after_seconds: for 429, at least 1.
        fix: what to do.
    """

    exit_code = InputError.exit_code

    def __init__(
        self, code: str, what: str, *, status: int, retry_after_seconds: int | None = None, fix: str = ""
    ) -> None:
        super().__init__(code, what, fix=fix)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def too_many(code: str, what: str, wait_ns: int) -> AccessRefused:
    """Refused for a while; the wait is rounded up to whole seconds."""
    seconds = max(1, -(-wait_ns // 1_000_000_000))
    return AccessRefused(code, what, status=429, retry_after_seconds=seconds, fix=f"wait {seconds} s and try again")
