"""The desk's web page and HTTP API: read-only, on loopback. `tmt.gateway.server.serve` starts it."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-G001": "The page's port cannot be used: another program, perhaps another desk, listens there, or this user "
    "may not. Give another with `tmt up --port N`; 0 takes any that is free.",
    "TMT-G002": "The page may only be served on this machine (a loopback address): it has no log-in, so whoever "
    "reaches it sees the desk. From elsewhere, use a tunnel: `ssh -L 8000:127.0.0.1:8000 HOST`.",
}
"""Code -> meaning, for `tmt explain`."""
