"""From paths, or from a seed, to a feed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tmt.adapters.feed.binance_tape import tape_recording
from tmt.adapters.feed.columns import csv_recording, parquet_recording
from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.feed.detect import Format, data_files, format_of, unknown_content
from tmt.adapters.feed.event_list import event_list_recording
from tmt.adapters.feed.lean import LeanFile, lean_file, lean_recordings
from tmt.adapters.feed.recording import Recording
from tmt.adapters.feed.replay import ReplayFeed
from tmt.adapters.feed.simulator import SimulatorFeed
from tmt.domain.instrument import Instrument
from tmt.market.simulator import SimulatorConfig
from tmt.ports.feed import Feed


def open_replay(paths: Sequence[Path], instrument: Instrument, config: FeedsConfig, batch_rows: int = 8192) -> Feed:
    """The feed of one instrument's recordings: files, or folders of files, in any order.

    Raises:
        InputError: when a path, a format or an instrument is not what it should be; see `ERROR_CODES`.
    """
    lean_files: list[LeanFile] = []
    recordings: list[Recording] = []
    for path in data_files(paths):
        match format_of(path):
            case Format.LEAN:
                file = lean_file(path, config.file_bytes_max)
                if file is None:
                    raise unknown_content(path)
                lean_files.append(file)
            case Format.BINANCE_TAPE:
                recordings.append(tape_recording(path, instrument, config))
            case Format.EVENT_LIST:
                recordings.append(event_list_recording(path, instrument, config))
            case Format.CSV:
                recordings.append(csv_recording(path, instrument, config))
            case Format.PARQUET:
                recordings.append(parquet_recording(path, instrument, config))
    recordings.extend(lean_recordings(lean_files, instrument, config))
    return ReplayFeed(recordings, instrument, config, batch_rows)


def open_simulator(config: SimulatorConfig, instruments: dict[str, Instrument], batch_rows: int = 8192) -> Feed:
    """The feed of made-up markets; `instruments` by symbol, of which those of `config` are used."""
    return SimulatorFeed(config, instruments, batch_rows)
