"""Doctor: many checks, each with evidence; what is broken says how to mend it; the bundle tells nothing private."""

import socket
import tarfile
from pathlib import Path

import apsw
import msgspec
import pytest

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.books import Books
from tmt.cli.doctor.bundle import redacted
from tmt.cli.main import run
from tmt.cli.results import Diagnosis
from tmt.ports.event_log import Entry


def diagnose(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Diagnosis]:
    status = run(["doctor", "--json", *words])
    return status, msgspec.json.decode(capsys.readouterr().out, type=Diagnosis)


def outcome(diagnosis: Diagnosis, name: str) -> str:
    [finding] = [each for each in diagnosis.findings if each.name == name]
    return finding.outcome


def a_log(state: Path) -> Path:
    book = Books(state).new("main")
    log = SqliteEventLog(book / "events.sqlite")
    log.append([Entry(str(number) * 32, "1" * 32, "TimeAdvanced", 1, b"{}") for number in range(3)], 1)
    log.close()
    return book / "events.sqlite"


def test_a_healthy_machine_passes_at_least_twenty_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_log(tmp_path)
    status, diagnosis = diagnose(capsys, "--state", str(tmp_path))
    broken = [finding for finding in diagnosis.findings if finding.outcome == "broken"]
    assert (status, broken, diagnosis.healthy) == (0, [], True)
    assert len({finding.name for finding in diagnosis.findings}) >= 20
    assert all(finding.evidence for finding in diagnosis.findings)
    assert all(finding.fix for finding in diagnosis.findings if finding.outcome in {"warning", "broken"})


def test_an_edited_log_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = apsw.Connection(str(a_log(tmp_path)))
    database.execute("UPDATE events SET body = '{ }' WHERE position = 2")
    database.close()
    status, diagnosis = diagnose(capsys, "--state", str(tmp_path))
    assert (status, diagnosis.healthy) == (6, False)
    assert outcome(diagnosis, "event log") == "broken"


def test_a_configuration_that_is_wrong_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "aria.yml").write_text("risk_fraction: 2\n")
    status, diagnosis = diagnose(capsys, "--config", str(tmp_path), "--state", str(tmp_path / "state"))
    assert status == 6
    assert outcome(diagnosis, "configuration") == "broken"


def test_a_port_in_use_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        _, diagnosis = diagnose(capsys, "--port", port, "--state", str(tmp_path))
    assert outcome(diagnosis, "port") == "warning"


def test_the_bundle_holds_no_message_bodies_and_no_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_log(tmp_path / "state")
    bundle = tmp_path / "report.tar.gz"
    status, diagnosis = diagnose(capsys, "--state", str(tmp_path / "state"), "--bundle", str(bundle))
    assert (status, diagnosis.bundle) == (0, str(bundle))
    with tarfile.open(bundle) as archive:
        texts = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            texts[member.name] = file.read().decode()
    assert sorted(texts) == [f"tmt-report/{name}" for name in ("configuration.json", "diagnosis.json", "events.txt")]
    assert "TimeAdvanced" in texts["tmt-report/events.txt"]
    assert "{}" not in texts["tmt-report/events.txt"]
    assert not any(f"{Path.home()}/" in text for text in texts.values())


def test_the_home_folder_is_taken_out_of_texts() -> None:
    assert redacted(f"in {Path.home()}/state") == "in ~/state"
