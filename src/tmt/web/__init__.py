"""The shell of every HTTP service: one way to refuse, to know who asks, to bound, to describe and to serve."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-W001": "A service's port cannot be used: another program, perhaps another desk, listens there, or this user "
    "may not. Give another; 0 takes any that is free.",
    "TMT-W002": "A service may be reached from other machines only over TLS. Serve it on 127.0.0.1, give it "
    "certificates (`tmt admin certificates`), or set `web.plain_http_beyond_loopback` where something in front of it "
    "does the TLS.",
    "TMT-W400": "The request is not one that the service takes; `errors` names each field and what is wrong with it.",
    "TMT-W401": "The request says not who asks, or no longer does. Log in (`POST /api/v1/sessions`) and send the token "
    "as `Authorization: Bearer …`, or send an API key as `X-API-Key`.",
    "TMT-W403": "Whoever asks may not do this: the role, or the list of accounts, does not hold it.",
    "TMT-W404": "There is nothing at this address, or nothing that whoever asks may see.",
    "TMT-W405": "The address does not take this method; the header `Allow` lists those it takes.",
    "TMT-W408": "The request's body did not come in time. Send it again.",
    "TMT-W409": "The request contradicts one before it: its `Idempotency-Key` was used for another request, or that "
    "request is still being answered.",
    "TMT-W413": "The request's body is larger than the service takes (`web.limits.body_bytes_max`).",
    "TMT-W415": "The body must be JSON, and the header `Content-Type` must say so: `application/json`.",
    "TMT-W421": "The request was meant for another host. Use a name in `web.allowed_hosts`, or localhost.",
    "TMT-W429": "Too many requests; the header `Retry-After` says when the next is taken.",
    "TMT-W431": "The request's headers are larger than the service takes (`web.limits.header_bytes_max`).",
    "TMT-W500": "The service failed; its log says why, under the request id of the answer.",
    "TMT-W503": "The service, or something it needs, is busy or away; nothing was done. Try again.",
    "TMT-W504": "What was asked for may have been done, but the answer did not come in time. Send the same request, "
    "with the same `Idempotency-Key` or `client_order_id`, to learn.",
}
"""Code -> meaning, for `tmt explain`."""
