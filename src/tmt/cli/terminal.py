"""What a command says and to whom: answers on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import msgspec
    from rich.console import Console


class Terminal:
    """Where one command writes.

    Args:
        json: answer with one JSON object.
        plain: no colour, no boxes, no moving lines; also when NO_COLOR is set or TERM is dumb.
    """

    def __init__(self, *, json: bool = False, plain: bool = False) -> None:
        self.json = json
        self.plain = plain or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"

    @property
    def interactive(self) -> bool:
        """Whether a person watches standard error."""
        return sys.stderr.isatty() and not self.plain

    def answer(self, result: msgspec.Struct, text: str) -> None:
        """The command's answer: `result` for programs, `text` for people."""
        if self.json:
            import msgspec

            text = msgspec.json.encode(result).decode()
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """A remark for people."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def console(self, *, answers: bool = False) -> Console:
        """A rich console on standard error, or on standard output for answers."""
        from rich.console import Console

        stream: TextIO = sys.stdout if answers else sys.stderr
        return Console(file=stream, no_color=self.plain, highlight=False, soft_wrap=self.plain)


def table(rows: list[tuple[str, ...]], indent: str = "") -> str:
    """Columns as wide as their widest cell; readable without colour and by programs."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(indent + line.rstrip() for line in lines)


def size_text(size_bytes: int) -> str:
    """Bytes in a readable unit."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    if size_bytes < 1024**2:
        return f"{size_bytes // 1024} KiB"
    return f"{size_bytes // 1024**2} MiB"
