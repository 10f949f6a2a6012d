"""People, API keys, sessions, attempts to log in, kept answers, and the audit trail."""

from alembic import op

revision = "0002"
down_revision = "0001"

ACCESS = """
CREATE TABLE users (
    name text COLLATE "C" PRIMARY KEY,
    role text NOT NULL,
    accounts text NOT NULL,
    password_hash text NOT NULL,
    must_change_password boolean NOT NULL,
    disabled boolean NOT NULL,
    generation bigint NOT NULL,
    totp_sealed bytea NOT NULL,
    totp_confirmed boolean NOT NULL,
    totp_step bigint NOT NULL,
    created_at_ns bigint NOT NULL
);
CREATE TABLE api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL REFERENCES users (name),
    label text NOT NULL,
    role text NOT NULL,
    accounts text NOT NULL,
    digest bytea NOT NULL,
    generation bigint NOT NULL,
    created_at_ns bigint NOT NULL,
    expires_at_ns bigint NOT NULL,
    revoked_at_ns bigint,
    seen_ns bigint NOT NULL
);
CREATE TABLE sessions (
    session_id text COLLATE "C" PRIMARY KEY,
    person text COLLATE "C" NOT NULL REFERENCES users (name),
    method text NOT NULL,
    address text NOT NULL,
    generation bigint NOT NULL,
    refreshes bigint NOT NULL,
    created_at_ns bigint NOT NULL,
    expires_at_ns bigint NOT NULL,
    revoked_at_ns bigint,
    seen_ns bigint NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at_ns);
CREATE TABLE attempts (
    subject text COLLATE "C" PRIMARY KEY,
    failures bigint NOT NULL,
    last_at_ns bigint NOT NULL,
    next_at_ns bigint NOT NULL
);
CREATE INDEX attempts_by_time ON attempts (last_at_ns);
CREATE TABLE answers (
    scope text COLLATE "C" PRIMARY KEY,
    digest bytea NOT NULL,
    status bigint,
    content_type text NOT NULL,
    body bytea NOT NULL,
    begun_at_ns bigint NOT NULL,
    lease_until_ns bigint NOT NULL
);
CREATE INDEX answers_by_time ON answers (begun_at_ns);
CREATE TABLE audit (
    position bigint PRIMARY KEY,
    time_ns bigint NOT NULL,
    person text NOT NULL,
    method text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    chain bytea NOT NULL
);
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_never_changes;
"""

REFUSE_TO_FORGET = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM audit) THEN
        RAISE EXCEPTION 'the audit trail holds entries, and is not dropped by a migration';
    END IF;
END $$;
"""


def upgrade() -> None:
    """Make the tables of access."""
    op.execute(ACCESS)


def downgrade() -> None:
    """Drop them, if the audit trail is empty."""
    op.execute(REFUSE_TO_FORGET)
    op.execute("DROP TABLE audit, answers, attempts, sessions, api_keys, users")
