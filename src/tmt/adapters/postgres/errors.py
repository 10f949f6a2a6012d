"""What goes wrong with a PostgreSQL server, and what to do."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-L011": "Another desk has taken over this event log: it was opened for writing later. This one has stored "
    "nothing since and must stop; find out who started the other (table `writers` of the desk's schema).",
    "TMT-L012": "The server was lost while events were being written, and was not back in time: they may or may not "
    "be stored. Once the server runs, start the desk again; it goes on from what the log really holds.",
    "TMT-L013": "The records, which repeat the log's orders, fills, positions and postings as tables, cannot be "
    "opened, read or written. The log is safe; damaged records may be deleted: they are folded from the log anew.",
    "TMT-P001": "The settings of the database cannot be used: an address that cannot be read, a schema's name that is "
    "not plain, or a number of connections out of range.",
    "TMT-P002": "The PostgreSQL server does not answer, refuses the connection, or could not do what was asked. See "
    "that it runs and takes connections (`pg_isready`), and look into its log.",
    "TMT-P003": "The PostgreSQL server may lose what it has acknowledged. Set fsync=on, synchronous_commit=on, "
    "full_page_writes=on and data_sync_retry=off in postgresql.conf, and restart it.",
    "TMT-P004": "The schema of the database is not of this version of the program, or does not exist yet. Bring it "
    "up to date with a migration; a newer one needs the newer program.",
    "TMT-P005": "A migration of the database failed; nothing was changed.",
    "TMT-P006": "The server was lost at the end of a transaction: it may or may not have been carried out. What is "
    "done again under the same ids is done once.",
}
"""Code -> meaning, for `tmt explain`."""
