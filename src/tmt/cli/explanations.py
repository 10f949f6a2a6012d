"""What every error code means and what to do: `tmt explain CODE`."""

from __future__ import annotations

from typing import Final

_HERE: Final = {
    "TMT-B001": "One message set off more messages than a cascade may hold: two agents answer each other without end. "
    "Report it with `tmt doctor --bundle FILE`; the log holds everything up to the step before.",
    "TMT-C001": "The configuration has several mistakes; each is listed with its own code, file, line and column. "
    "Mend them and run `tmt config check`.",
    "TMT-C002": "A text is not readable as YAML. Anchors, aliases, tags and several documents in one file are not "
    "taken either, so that a file means the same to everybody who reads it.",
    "TMT-C003": "A key is written twice in one mapping; only one of the two could count. Remove one.",
    "TMT-C004": "A configuration file or folder cannot be used: missing, unreadable, larger than 1 MB, or of a name "
    "that no section has. Files are named after their section: aria.yml, market.yml, rule_books/NAME.yml.",
    "TMT-C005": "A key is not known, most often a slip of the pen. `tmt config show SECTION` lists the keys there are.",
    "TMT-C006": "A value is of the wrong kind or out of range. Numbers are written plainly (0.05, never 5e-2 or "
    "'0.05'). `tmt config explain KEY` says what the value means.",
    "TMT-C007": "A key is missing. A file in your folder replaces the default file whole, so that a limit left out is "
    "never silently inherited: copy the default file (`tmt config show SECTION`) and change what you want.",
    "TMT-C008": "A section has no file at all. The package should hold a default; install it again.",
    "TMT-C009": "An override, an environment variable or a question names a section or key that does not exist. Write "
    "section.key=value, or TMT__SECTION__KEY=value.",
    "TMT-C010": "A flag in the environment has a value of no use, such as RISK_MULTIPLIER that is empty. The message "
    "says which key it sets and what to write.",
    "TMT-C041": "The venue rounds fees to decimals that `venue.fee_decimals` names for each quote currency, and one "
    "is missing. Add it.",
    "TMT-C042": "The file that holds the database's password cannot be read. Make it readable to the desk's user "
    "alone, or correct stores.password_file.",
    "TMT-I001": "A rule of money or safety that must always hold does not. The system breaker is open: nothing new is "
    "traded, closing stays possible. Keep the book as it is, report it, start another with `tmt book new NAME`.",
    "TMT-L001": "The event log is damaged, or is no event log. Nothing was changed. Restore the book's folder from a "
    "backup, or start a new one with `tmt book new NAME`.",
    "TMT-L002": "The event log cannot be opened or written: permissions, a full disk, or a folder that is gone. What "
    "was acknowledged is safe: free space or mend the permissions, and start the same command again.",
    "TMT-L003": "The event log was written by a version of this program with another layout. Use that version.",
    "TMT-L005": "The event log ends before an event that was acknowledged: a file was cut short or replaced by an "
    "older copy. Restore the newest copy; trading on would forget what was done.",
    "TMT-L006": "An event is not the one that was written: its hash does not fit the chain. Somebody or something "
    "edited the log. Restore it from a backup.",
    "TMT-L007": "A message was about to be written a second time. Report it with `tmt doctor --bundle FILE`.",
    "TMT-L008": "This SQLite can damage a write-ahead log. Install apsw 3.51.3 or newer, which brings its own.",
    "TMT-L009": "Another desk is writing this book. Stop it (ctrl-C in its terminal), or use another book or state "
    "folder.",
    "TMT-L010": "Running the log again gives other decisions than it holds: software or configuration changed since. "
    "Recover with those that wrote the log, or start a new book with `tmt book new NAME`.",
    "TMT-M001": "A message cannot be decoded or breaks its own rules. It goes to the dead letters; the desk goes on.",
    "TMT-N001": "The inbox, through which commands reach a running desk, cannot be read or written. Check the disk "
    "and the permissions of the book's folder.",
    "TMT-N002": "A running desk did not obey a command within two seconds. The command stays in the inbox and is "
    "obeyed as soon as the desk looks; if the desk hangs, end it with ctrl-C and start it again: the command is "
    "obeyed first.",
    "TMT-R001": "A book holds one run: the same mode (up or replay) and seed every time. Use another book for another "
    "run.",
    "TMT-R002": "A book holds one replay: the same files in the same order every time. Use another book for other "
    "data.",
    "TMT-R003": "The book was left in the middle of a run under another configuration. Start once with the former "
    "one, or use another book.",
    "TMT-R004": "The market data hold no row. Look at them with `tmt data inspect PATH`.",
    "TMT-R005": "The instrument is not in instruments.yml, or none was named for recorded data. `tmt config show "
    "instruments` lists those there are.",
    "TMT-R006": "The data are bars that are longer than every timeframe in market.yml. Add one as long as the bars.",
    "TMT-R007": "A book runs on one feed. Give the feed it was made with, or use another book.",
    "TMT-S006": "The book has no event log: no desk has run on it. Run `tmt up` or `tmt replay`, or choose another "
    "book.",
    "TMT-S007": "The file that says what the book runs on is damaged. Remove it and run the desk again with the same "
    "options.",
    "TMT-T001": "No message, order or fill in the log has an id that begins like this. Check the book, and copy the "
    "id again.",
    "TMT-T002": "Several ids begin like this. Give more of the digits.",
    "TMT-T003": "The desk never traded this instrument in this book.",
    "TMT-T004": "No bar of the instrument contains this time: the market was closed, or the run has not reached it.",
    "TMT-T005": "A time is not ISO 8601. Write it like 2026-01-05T10:00Z.",
    "TMT-T006": "The book holds nothing about this account on this day. `tmt report daily` without --day shows each "
    "account's newest.",
    "TMT-X001": "An error that nobody foresaw: a bug. What was committed is safe. Run the command again with --debug, "
    "and report it with `tmt doctor --bundle FILE`.",
    "TMT-X002": "The command line is wrong. `tmt COMMAND --help` shows what it takes, with two examples.",
    "TMT-X004": "Completion is made for bash, zsh and fish.",
    "TMT-X005": "A number on the command line is out of its range.",
    "TMT-X006": "A file that the command should write cannot be written.",
    "TMT-X007": "Two options do not go together.",
    "TMT-X008": "The reason is empty or too long. A few words are enough; the log keeps them.",
    "TMT-X009": "There is no error code of that name.",
    "TMT-X010": "The instrument of the data cannot be told from their names.",
    "TMT-X011": "A command names an account, strategy, instrument or venue that the desk does not have, so it was not "
    "given. `tmt status` shows those there are.",
}


FIXES: Final = {
    "TMT-L002": "free disk space, or make the book's folder writable (`df -h`, `ls -ld`); then run the same command "
    "again: what was acknowledged is kept",
    "TMT-N001": "free disk space, or make the book's folder writable; until then, end the desk with ctrl-C to stop it",
}
"""What to do, for errors of the stores that do not say it themselves."""


def explanations() -> dict[str, str]:
    """Code -> meaning, sorted by code."""
    from tmt import books, engine, storage_api, web
    from tmt.access import refusals
    from tmt.adapters import series
    from tmt.adapters.bus.kafka import errors as bus
    from tmt.adapters.feed import errors as feed
    from tmt.adapters.postgres import errors as postgres

    return dict(
        sorted(
            {
                **_HERE,
                **refusals.ERROR_CODES,
                **bus.ERROR_CODES,
                **books.ERROR_CODES,
                **engine.ERROR_CODES,
                **feed.ERROR_CODES,
                **postgres.ERROR_CODES,
                **series.ERROR_CODES,
                **storage_api.ERROR_CODES,
                **web.ERROR_CODES,
            }.items()
        )
    )
