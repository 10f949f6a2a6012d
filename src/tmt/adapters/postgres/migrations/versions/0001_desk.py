"""The event log, its snapshots, the inbox, and the records of orders, fills, positions and postings."""

from alembic import op

revision = "0001"
down_revision = None

# Text is compared byte for byte ("C"), so that the order of ids is the same everywhere.
EVENT_LOG = """
CREATE TABLE events (
    position bigint PRIMARY KEY,
    recorded_at_ns bigint NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    occurred_at_ns bigint NOT NULL,
    body bytea NOT NULL,
    chain bytea NOT NULL,
    CONSTRAINT events_message_id UNIQUE (message_id)
);
CREATE INDEX events_by_correlation ON events (correlation_id, position);
CREATE INDEX events_by_type ON events (type, position);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is recorded is never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_never_change;

-- One row: the newest position, its chain hash, and who may append.
CREATE TABLE head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    position bigint NOT NULL,
    chain bytea NOT NULL,
    epoch bigint NOT NULL,
    writer text NOT NULL
);
INSERT INTO head (position, chain, epoch, writer) VALUES (0, decode(repeat('00', 32), 'hex'), 0, '');

-- Who has opened the log for writing, for people to look at.
CREATE TABLE writers (
    epoch bigint PRIMARY KEY,
    writer text NOT NULL,
    source text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE snapshots (
    owner text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    state bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (owner, position)
);
"""

INBOX = """
CREATE TABLE commands (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text COLLATE "C" NOT NULL UNIQUE,
    body bytea NOT NULL,
    done boolean NOT NULL DEFAULT false
);
CREATE INDEX commands_waiting ON commands (number) WHERE NOT done;
"""

# Columns as in `ports.records`, a table each; `numeric` without a scale keeps every digit.
RECORDS = """
CREATE TABLE orders (
    position bigint NOT NULL,
    number bigint NOT NULL UNIQUE,
    client_order_id text COLLATE "C" PRIMARY KEY,
    order_id text COLLATE "C" NOT NULL,
    entry_client_order_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    instrument text COLLATE "C" NOT NULL,
    side text NOT NULL,
    role text NOT NULL,
    type text NOT NULL,
    time_in_force text NOT NULL,
    quantity numeric NOT NULL,
    limit_price numeric,
    stop_price numeric,
    filled numeric NOT NULL,
    average_price numeric,
    state text NOT NULL,
    reason text NOT NULL,
    strategy text NOT NULL,
    setup text NOT NULL,
    submitted_at_ns bigint NOT NULL,
    changed_at_ns bigint NOT NULL
);
CREATE INDEX orders_by_account ON orders (account, number);
CREATE TABLE fills (
    position bigint NOT NULL,
    number bigint NOT NULL UNIQUE,
    fill_id text COLLATE "C" PRIMARY KEY,
    client_order_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    instrument text COLLATE "C" NOT NULL,
    side text NOT NULL,
    quantity numeric NOT NULL,
    price numeric NOT NULL,
    fee numeric NOT NULL,
    fee_currency text COLLATE "C" NOT NULL,
    role text NOT NULL,
    liquidity text NOT NULL,
    slippage numeric NOT NULL,
    filled_at_ns bigint NOT NULL
);
CREATE INDEX fills_by_order ON fills (client_order_id, number);
CREATE INDEX fills_by_account ON fills (account, number);
CREATE TABLE positions (
    position bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    instrument text COLLATE "C" NOT NULL,
    lots integer NOT NULL,
    quantity numeric NOT NULL,
    cost numeric NOT NULL,
    average_price numeric,
    changed_at_ns bigint NOT NULL,
    PRIMARY KEY (account, instrument)
);
CREATE TABLE postings (
    position bigint NOT NULL,
    number bigint PRIMARY KEY,
    transaction_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    amount numeric NOT NULL,
    posted_at_ns bigint NOT NULL
);
CREATE INDEX postings_by_account ON postings (account, number);
CREATE TABLE balances (
    position bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (account, unit)
);

-- One row: the log position that the five tables stand at.
CREATE TABLE records (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    position bigint NOT NULL
);
INSERT INTO records (position) VALUES (0);
"""

REFUSE_TO_FORGET = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM events) THEN
        RAISE EXCEPTION 'the event log holds events, and is not dropped by a migration';
    END IF;
END $$;
"""


def upgrade() -> None:
    """Make the tables of a desk."""
    op.execute(EVENT_LOG)
    op.execute(INBOX)
    op.execute(RECORDS)


def downgrade() -> None:
    """Drop them, if the event log is empty."""
    op.execute(REFUSE_TO_FORGET)
    op.execute("DROP TABLE records, balances, postings, positions, fills, orders")
    op.execute("DROP TABLE commands, snapshots, writers, head, events")
    op.execute("DROP FUNCTION refuse_change")
