"""The archive: Parquet files of whole days, `TABLE/YYYY-MM-DD-SEQUENCE.parquet`."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tmt.adapters.series.days import date_of
from tmt.adapters.series.errors import unavailable


class Archive:
    """Writes days. A day that is written in parts, because rows came after the first, has one file a part.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, table: str, day: int, rows: pa.RecordBatchReader) -> Path:
        """Write one day, counted from 1970-01-01; the file is durable and whole when this returns.

        The file's name holds the first row's sequence, so writing the same rows again replaces it.
        """
        date = date_of(day)
        try:
            (self.folder / table).mkdir(parents=True, exist_ok=True)
            pending = self.folder / table / f"{date}.new"
            with pending.open("wb") as file:
                first = _write(rows, file)
                file.flush()
                os.fsync(file.fileno())
            return pending.replace(self.folder / table / f"{date}-{first}.parquet")
        except (OSError, pa.ArrowException) as error:
            raise unavailable(error, str(self.folder)) from error


def _write(rows: pa.RecordBatchReader, file: object) -> int:
    first = -1
    with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
        for batch in rows:
            if first < 0 and batch.num_rows:
                first = batch.column("sequence")[0].as_py()
            writer.write_batch(batch)
    return first
