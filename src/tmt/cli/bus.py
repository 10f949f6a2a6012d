"""`tmt bus`: topics and dead letters of a desk of several processes."""

from __future__ import annotations

import msgspec

from tmt.adapters.bus.kafka import dead_letters
from tmt.adapters.bus.kafka.client import ensure_topics
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.dead_letters import DeadLetter
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal, table
from tmt.cli.times import iso
from tmt.errors import InputError
from tmt.topics import TOPICS

LETTERS_MAX = 1000


class DeadLetterList(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, oldest first."""

    letters: tuple[DeadLetter, ...]


class TopicsMade(msgspec.Struct, frozen=True, kw_only=True):
    """Topics that were missing and are there now."""

    created: tuple[str, ...]


def make_topics(terminal: Terminal, chosen: Chosen) -> None:
    """`tmt bus topics`."""
    created = tuple(ensure_topics(_config(chosen)))
    terminal.answer(TopicsMade(created=created), "\n".join(created) or "every topic is there")


def show(terminal: Terminal, chosen: Chosen, limit: int) -> None:
    """`tmt bus dead-letters`."""
    if not 1 <= limit <= LETTERS_MAX:
        raise InputError("TMT-X005", f"--limit must be 1 to {LETTERS_MAX}, was {limit}")
    letters = tuple(dead_letters.read(_config(chosen), limit))
    rows: list[tuple[str, ...]] = [("topic", "offset", "time", "size", "reason")]
    rows += [(each.topic, str(each.offset), iso(each.time_ns), f"{each.size} B", each.reason) for each in letters]
    terminal.answer(DeadLetterList(letters=letters), table(rows) if letters else "no dead letters")


def replay(terminal: Terminal, chosen: Chosen, topic: str, offset: int) -> int:
    """`tmt bus replay`."""
    known = [each.name for each in TOPICS]
    if topic not in known:
        raise InputError("TMT-X005", f"no topic {topic!r}", fix=f"name one of {', '.join(known)}")
    letter = dead_letters.replay(_config(chosen), topic, offset)
    if letter is None:
        terminal.say(f"{topic} has no dead letter at {offset}; `tmt bus dead-letters` lists them")
        return ExitCode.NOTHING_FOUND
    terminal.answer(DeadLetterList(letters=(letter,)), f"put back on {topic}: {letter.size} bytes, key {letter.key}")
    return ExitCode.OK


def _config(chosen: Chosen) -> BusConfig:
    config = load_settings(chosen.config_folder, chosen.overrides).sections["bus"]
    assert isinstance(config, BusConfig)
    return config
