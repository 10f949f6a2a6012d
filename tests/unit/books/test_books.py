"""Books are made, chosen and moved aside; nothing is deleted, and a running desk is left alone."""

from pathlib import Path

import pytest

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.books import Books
from tmt.errors import InputError, StoreUnavailable
from tmt.ports.event_log import Entry


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "state")


def test_the_first_book_is_main_and_asking_makes_nothing(books: Books) -> None:
    assert (books.current(), books.names()) == ("main", [])
    assert not books.state.exists()


def test_a_new_book_is_made_and_used(books: Books) -> None:
    path = books.new("second")
    assert path.is_dir()
    assert (books.current(), books.names()) == ("second", ["second"])


def test_a_book_is_not_made_twice(books: Books) -> None:
    books.new("second")
    with pytest.raises(InputError, match="already"):
        books.new("second")


@pytest.mark.parametrize("name", ["a", "a" * 64, "replay-1a.b_c", "0"])
def test_plain_names_are_taken(books: Books, name: str) -> None:
    assert books.path(name).name == name


@pytest.mark.parametrize("name", ["", "a" * 65, ".trash", "../x", "a/b", "A", "ä", "a b", "-a", "a\n"])
def test_other_names_are_refused(books: Books, name: str) -> None:
    with pytest.raises(InputError) as caught:
        books.path(name)
    assert caught.value.code == "TMT-S001"


def test_only_a_book_that_exists_is_switched_to(books: Books) -> None:
    books.new("a")
    books.new("b")
    books.switch("a")
    assert books.current() == "a"
    with pytest.raises(InputError, match="there are: a, b"):
        books.switch("c")
    assert books.current() == "a"


def test_reset_moves_the_book_aside_and_keeps_every_former_one(books: Books) -> None:
    path = books.new("a")
    (path / "events.sqlite").write_text("first")
    first = books.reset("a")
    (path / "events.sqlite").write_text("second")
    second = books.reset("a")
    assert [moved.name for moved in (first, second)] == ["a-1", "a-2"]
    assert [(moved / "events.sqlite").read_text() for moved in (first, second)] == ["first", "second"]
    assert list(path.iterdir()) == []
    assert books.names() == ["a"]


def test_a_book_that_a_desk_writes_is_not_reset(books: Books) -> None:
    path = books.new("a")
    log = SqliteEventLog(path / "events.sqlite")
    log.append([Entry("1" * 32, "1" * 32, "TimeAdvanced", 1, b"{}")], 1)
    assert books.is_in_use("a")
    with pytest.raises(InputError) as caught:
        books.reset("a")
    assert caught.value.code == "TMT-S004"
    assert log.head() == 1
    log.close()
    assert not books.is_in_use("a")
    books.reset("a")


def test_reset_of_no_book_is_refused(books: Books) -> None:
    with pytest.raises(InputError, match="there is no book x"):
        books.reset("x")


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable) as caught:
        Books(tmp_path / "file").ensure("a")
    assert caught.value.code == "TMT-S005"
