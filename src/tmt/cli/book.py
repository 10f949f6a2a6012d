"""`tmt book`: start over, or keep several desks apart."""

from __future__ import annotations

from pathlib import Path

from tmt.books import Books
from tmt.cli.folders import books_of
from tmt.cli.results import Book, BookChanged, BookList
from tmt.cli.terminal import Terminal, size_text, table


def show(terminal: Terminal, state: str | None) -> None:
    """`tmt book list`."""
    books = books_of(state)
    current = books.current()
    listed = tuple(
        Book(
            name=name,
            path=str(books.path(name)),
            in_use=name == current,
            running=books.is_in_use(name),
            size_bytes=_size(books.path(name)),
        )
        for name in books.names()
    )
    rows: list[tuple[str, ...]] = [("", "book", "size", "desk")]
    for book in listed:
        running = "running" if book.running else "-"
        rows.append(("*" if book.in_use else "", book.name, size_text(book.size_bytes), running))
    text = table(rows) if listed else f"no books yet; `tmt up` makes the first one, {current}"
    terminal.answer(BookList(state=str(books.state), books=listed), text)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def new(terminal: Terminal, name: str, state: str | None) -> None:
    """`tmt book new`."""
    path = books_of(state).new(name)
    terminal.answer(BookChanged(name=name, path=str(path)), f"book {name} is in use: {path}")


def switch(terminal: Terminal, name: str, state: str | None) -> None:
    """`tmt book switch`."""
    books = books_of(state)
    books.switch(name)
    terminal.answer(BookChanged(name=name, path=str(books.path(name))), f"book {name} is in use")


def reset(terminal: Terminal, name: str | None, state: str | None) -> None:
    """`tmt book reset`."""
    books: Books = books_of(state)
    chosen = name or books.current()
    moved_to = books.reset(chosen)
    answer = BookChanged(name=chosen, path=str(books.path(chosen)), moved_to=str(moved_to))
    terminal.answer(answer, f"book {chosen} starts anew; the old one is in {moved_to}")
