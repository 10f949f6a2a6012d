"""`tmt book`: start over, or keep several desks apart."""

from __future__ import annotations

from pathlib import Path

from tmt.cli.folders import Chosen
from tmt.cli.results import Book, BookChanged, BookList
from tmt.cli.terminal import Terminal, size_text, table


def show(terminal: Terminal, chosen: Chosen) -> None:
    """`tmt book list`."""
    books = chosen.books
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


def new(terminal: Terminal, chosen: Chosen, name: str) -> None:
    """`tmt book new`."""
    path = chosen.books.new(name)
    terminal.answer(BookChanged(name=name, path=str(path)), f"book {name} is in use: {path}")


def switch(terminal: Terminal, chosen: Chosen, name: str) -> None:
    """`tmt book switch`."""
    books = chosen.books
    books.switch(name)
    terminal.answer(BookChanged(name=name, path=str(books.path(name))), f"book {name} is in use")


def reset(terminal: Terminal, chosen: Chosen, name: str | None) -> None:
    """`tmt book reset`."""
    books = chosen.books
    book = name or books.current()
    moved_to = books.reset(book)
    answer = BookChanged(name=book, path=str(books.path(book)), moved_to=str(moved_to))
    terminal.answer(answer, f"book {book} starts anew; the old one is in {moved_to}")
