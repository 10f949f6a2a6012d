"""The commands about people, keys, certificates and the audit trail."""

from __future__ import annotations

from typing import Final

from tmt.cli.entries import ACCOUNT, ASK, CONFIG, JSON, OVERRIDE, SHARED, STATE, STDIN, Argument, Command, Option

_COMMON: Final = (SHARED, STATE, CONFIG, OVERRIDE, JSON)

ACCESS: Final = (
    Command(
        ("admin", "user", "add"),
        "Let somebody use the desk.",
        "tmt.cli.admin:add_user",
        ("tmt admin user add ann --role trader", "tmt admin user add bob --role viewer --account main --json"),
        "The password must be changed at the first log-in. Roles: viewer, trader, risk, admin.",
        (
            Argument("name", "Lower-case letters, digits, '.', '_', '@' and '-'."),
            Option(("--role",), "What they may do.", metavar="ROLE", required=True),
            ACCOUNT,
            ASK,
            STDIN,
            *_COMMON,
        ),
        result="tmt.cli.admin:UserChanged",
        exits=(3, 4),
    ),
    Command(
        ("admin", "user", "list"),
        "List the people who may use the desk.",
        "tmt.cli.admin:list_users",
        ("tmt admin user list", "tmt admin user list --json"),
        "",
        _COMMON,
        result="tmt.cli.admin:UserList",
        exits=(3, 4),
    ),
    Command(
        ("admin", "user", "disable"),
        "Let somebody in no more; ends their sessions and keys.",
        "tmt.cli.admin:disable_user",
        ("tmt admin user disable ann", "tmt admin user disable ann --json"),
        "",
        (Argument("name", "The person."), *_COMMON),
        result="tmt.cli.admin:UserChanged",
        exits=(3, 4),
    ),
    Command(
        ("admin", "user", "password"),
        "Give somebody another password; ends their sessions and keys.",
        "tmt.cli.admin:set_password",
        ("tmt admin user password ann", "tmt admin user password ann --no-totp --json"),
        "It must be changed at the next log-in.",
        (
            Argument("name", "The person."),
            Option(("--no-totp",), "Ask them for one-time codes no more: the authenticator is lost.", "flag"),
            ASK,
            STDIN,
            *_COMMON,
        ),
        result="tmt.cli.admin:UserChanged",
        exits=(3, 4),
    ),
    Command(
        ("admin", "key", "create"),
        "Make a key with which a program acts for somebody; shown once.",
        "tmt.cli.admin:create_key",
        ("tmt admin key create ann --label load", "tmt admin key create ann --label feed --role viewer --json"),
        "Programs send it as X-API-Key.",
        (
            Argument("owner", "The person."),
            Option(("--label",), "What it is for.", metavar="TEXT", required=True),
            Option(("--role",), "At most the owner's. Default: the owner's.", metavar="ROLE"),
            Option(("--days",), "How long it lives.", "whole", metavar="N", default=90),
            ACCOUNT,
            *_COMMON,
        ),
        result="tmt.cli.admin:KeyCreated",
        exits=(3, 4),
    ),
    Command(
        ("admin", "key", "list"),
        "List keys; never what makes them work.",
        "tmt.cli.admin:list_keys",
        ("tmt admin key list", "tmt admin key list --json"),
        "",
        _COMMON,
        result="tmt.cli.admin:KeyList",
        exits=(3, 4),
    ),
    Command(
        ("admin", "key", "revoke"),
        "End a key.",
        "tmt.cli.admin:revoke_key",
        ("tmt admin key revoke 3fa912bc04de", "tmt admin key revoke 3fa912bc04de --json"),
        "",
        (Argument("id", "The key's id, from `tmt admin key list`."), *_COMMON),
        result="tmt.cli.admin:KeyRevoked",
        exits=(3, 4),
    ),
    Command(
        ("admin", "certificates"),
        "Make and renew the certificates with which services know each other.",
        "tmt.cli.admin:certificates",
        ("tmt admin certificates", "tmt admin certificates engine gateway --renew --json"),
        "In the state folder's tls/, by an authority of the desk's own. One that has less than a third of its 90 days"
        " left is renewed; running services take it without a restart.",
        (
            Argument("services", "Default: gateway, storage-api and engine.", required=False, many=True),
            Option(("--renew",), "Renew all of them, whatever is left.", "flag"),
            STATE,
            JSON,
        ),
        result="tmt.cli.admin:CertificateList",
        exits=(2, 3),
    ),
    Command(
        ("audit", "list"),
        "Show the newest entries of the audit trail, oldest first.",
        "tmt.cli.audit:show",
        ("tmt audit list", "tmt audit list --limit 10 --json"),
        "",
        (
            Option(("--limit",), "How many, at most 500.", "whole", metavar="N", default=50),
            Option(("--before",), "Only those before this position.", "whole", metavar="POSITION"),
            *_COMMON,
        ),
        result="tmt.cli.audit:AuditList",
        exits=(3, 4),
    ),
    Command(
        ("audit", "verify"),
        "Check that nothing in the audit trail, or in a book's event log, was edited, moved or removed.",
        "tmt.cli.audit:verify",
        ("tmt audit verify", "tmt audit verify --json"),
        "Recomputes the hash chains of the trail and of every book, and prints their heads. The trail's, written down"
        " elsewhere and given with --head later, shows also that no end is missing.",
        (
            Option(("--head",), "A head that was printed before.", metavar="POSITION:CHAIN"),
            *_COMMON,
        ),
        result="tmt.cli.audit:AuditVerified",
        exits=(3, 4, 5),
    ),
)
