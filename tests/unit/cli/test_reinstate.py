"""Does `tmt reinstate` leave the request where a desk finds it, and say what compliance answered?"""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.unit.core.samples import TRANSITION
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.cli import reinstate
from tmt.cli.folders import Chosen
from tmt.cli.reinstate import ReinstatementAsked
from tmt.cli.session import person
from tmt.cli.terminal import Terminal
from tmt.domain.money import decode_hook
from tmt.errors import InputError
from tmt.ports.event_log import Entry

ASKED = m.ReinstateAccount.root("ann", 1, "k", account="alpha", person="ann", role="admin", reason="reviewed")
BACK = m.AccountReinstated.caused_by(
    ASKED, "compliance", "alpha", account="alpha", rule="drawdown", person="ann", role="admin", reason="reviewed"
)
STAYS = m.AccountSuspended.caused_by(
    ASKED, "compliance", "alpha", account="alpha", rule="drawdown", measured=Decimal("0.11"), limit=Decimal("0.10"),
    unit="fraction",
)  # fmt: skip

TRADES = m.BreakerClosed.caused_by(
    ASKED, "circuit_breaker", "alpha", **{**TRANSITION, "tier": "account", "scope": "alpha"}
)


def log_of(folder: Path, *messages: m.Message) -> SqliteEventLog:
    log = SqliteEventLog(folder / "events.sqlite")
    log.append(
        [Entry(e.message_id, e.correlation_id, type(e).__name__, e.occurred_at_ns, m.encode(e)) for e in messages], 1
    )
    return log


def became(tmp_path: Path, *messages: m.Message) -> ReinstatementAsked:
    log = log_of(tmp_path, *messages)
    try:
        return reinstate._became_of(log, ASKED, "main")
    finally:
        log.close()


def test_a_request_is_kept_until_a_desk_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = Chosen(state=str(tmp_path), book="main")
    status = reinstate.run(Terminal(json=True, plain=True), chosen, "paper-usd", " reviewed ", shared=False)
    answer = msgspec.json.decode(capsys.readouterr().out, type=ReinstatementAsked, dec_hook=decode_hook)
    assert (status, answer.outcome, answer.event, answer.book) == (0, "waiting", None, "main")
    inbox = SqliteInbox(tmp_path / "books" / "main" / "inbox.sqlite")
    [waiting] = inbox.pending()
    inbox.close()
    asked = m.decode(waiting.body)
    assert isinstance(asked, m.ReinstateAccount)
    assert (asked.account, asked.person, asked.role, asked.reason) == ("paper-usd", person(), "admin", "reviewed")


def test_an_account_that_the_book_never_had_is_refused_with_those_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "books" / "main"
    folder.mkdir(parents=True)
    log_of(folder, TRADES).close()
    chosen = Chosen(state=str(tmp_path), book="main")
    with pytest.raises(InputError, match="no account 'nobody'; there are: alpha") as caught:
        reinstate.run(Terminal(json=True, plain=True), chosen, "nobody", "reviewed", shared=False)
    assert caught.value.code == "TMT-X011"
    assert not (folder / "inbox.sqlite").exists()


def test_before_a_book_has_run_the_configuration_says_which_accounts_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no account 'typo'; there are: paper-usd, paper-usdt") as caught:
        reinstate.run(Terminal(json=True, plain=True), Chosen(state=str(tmp_path)), "typo", "reviewed", shared=False)
    assert caught.value.code == "TMT-X011"
    assert list(tmp_path.iterdir()) == []


def test_a_book_that_does_not_exist_is_refused_and_not_made(tmp_path: Path) -> None:
    chosen = Chosen(state=str(tmp_path), book="mian")
    with pytest.raises(InputError, match="there is no book mian; there are: none") as caught:
        reinstate.run(Terminal(json=True, plain=True), chosen, "paper-usd", "reviewed", shared=False)
    assert caught.value.code == "TMT-S003"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_is_asked_for(tmp_path: Path, reason: str) -> None:
    with pytest.raises(InputError, match="--reason"):
        reinstate.run(Terminal(json=True, plain=True), Chosen(state=str(tmp_path)), "alpha", reason, shared=False)


def test_a_reinstatement_names_the_rule_that_had_suspended(tmp_path: Path) -> None:
    answer = became(tmp_path, ASKED, BACK)
    assert (answer.outcome, answer.event, answer.rule, answer.measured) == ("reinstated", 1, "drawdown", None)
    assert reinstate._sentence(answer) == "alpha is reinstated; it was suspended by drawdown (event 1)"


def test_a_refusal_names_what_stands_against_it(tmp_path: Path) -> None:
    answer = became(tmp_path, ASKED, STAYS)
    assert (answer.outcome, answer.rule, answer.unit) == ("suspended", "drawdown", "fraction")
    assert (answer.measured, answer.limit) == (Decimal("0.11"), Decimal("0.10"))
    assert reinstate._sentence(answer) == (
        "REFUSED: alpha stays suspended by drawdown, 0.11 against 0.1 fraction (event 1)"
    )


def test_an_account_that_was_not_suspended_is_said_to_be_so(tmp_path: Path) -> None:
    answer = became(tmp_path, ASKED)
    assert (answer.outcome, answer.event) == ("not_suspended", 1)
    assert "nothing to lift" in reinstate._sentence(answer)


def test_a_request_that_nobody_took_waits(tmp_path: Path) -> None:
    other = m.ReinstateAccount.root("ann", 1, "other", account="alpha", person="ann", role="admin", reason="reviewed")
    answer = became(tmp_path, other)
    assert answer.outcome == "waiting"
    assert "main" in reinstate._sentence(answer)


@pytest.mark.parametrize(
    ("outcome", "status"), [("reinstated", 0), ("waiting", 0), ("suspended", 7), ("not_suspended", 7)]
)
def test_the_exit_status_says_whether_it_trades_again(outcome: str, status: int) -> None:
    answer = ReinstatementAsked(account="a", book="b", person="p", reason="r", outcome=outcome)
    assert reinstate._status(answer) == status
