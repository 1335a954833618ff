"""One table of all values of a store, as Parquet, brought up to date from the records of cases that changed.

``STORE/results.parquet`` is a folder of parts, which pandas, Polars, DuckDB and Spark read as one table. One row is one
value; :data:`COLUMNS` is its schema, version :data:`VERSION`. It can be deleted at any time and is then made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MissingPackageError
from .claims import claimed
from .latest import RECORD_DAMAGED, Known, Latest
from .rows import COLUMNS, VERSION, rows_of
from .store import Store

__all__ = ["COLUMNS", "VERSION", "Rebuilt", "rebuild"]

_BATCH_CASES = 500
_PART_CASES = 20_000
# With more small parts than this, they are put together: a part has about 30 kB of its own.
_SMALL_BYTES = 4_000_000
_MOST_SMALL = 8


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: cases added or replaced, cases in the table, parts."""

    changed: int
    cases: int
    parts: int


def rebuild(store: Store) -> Rebuilt:
    """Bring the table up to date; two drivers that do so at once take turns.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    ExportError
        If the table cannot be written.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as missing:
        raise MissingPackageError.of("pyarrow", "cohort", "Writing the table of a cohort") from missing
    folder = store.folder / "results.parquet"
    folder.mkdir(exist_ok=True)
    with claimed(store.folder / "table-lock", wait=True), closing(Latest(store)) as latest:
        _remove_useless(folder)
        there = _leave_current(folder, latest)
        fresh = (
            each for each in latest.with_record() if each.case not in there and latest.fault(each) != RECORD_DAMAGED
        )
        changed = _add_parts(folder, store, fresh)
        _merge_small(folder)
        return Rebuilt(changed, len(there) + changed, len(_parts(folder)))


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _remove_useless(folder: Path) -> None:
    """Remove what a crash left unfinished, and parts of another version, whose cases come back as new ones."""
    import pyarrow.parquet as pq

    for left in folder.glob(".*"):
        left.unlink()
    for part in _parts(folder):
        if (pq.read_schema(part).metadata or {}).get(b"version") != str(VERSION).encode():
            part.unlink()


def _leave_current(folder: Path, latest: Latest) -> set[str]:
    """Take cases that changed since out of the parts; return the names of those that stay."""
    there: set[str] = set()
    for part in _parts(folder):
        stale = set()
        for rows in _cases_in(part):
            known = latest.known([case for case, _ in rows])
            for case, noted in rows:
                now = known.get(case)
                if now is None or now.at != noted or case in there:
                    stale.add(case)
                else:
                    there.add(case)
        if stale:
            _rewrite([part], part, stale)
    return there


def _cases_in(part: Path) -> Iterator[list[tuple[str, float]]]:
    """Yield the cases of a part and when they were noted, some hundreds at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(columns=["kind", "case", "noted"]):
            found = batch.filter(pc.equal(batch.column("kind").cast(pa.string()), "case"))
            for start in range(0, found.num_rows, _BATCH_CASES):
                some = found.slice(start, _BATCH_CASES)
                yield list(zip(some.column("case").to_pylist(), some.column("noted").to_pylist(), strict=True))


def _rewrite(parts: list[Path], target: Path, leave_out: set[str]) -> None:
    """Write the rows of `parts` to `target`, all or nothing, without the cases `leave_out`."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    unwanted = pa.array(sorted(leave_out), pa.string())
    written = 0
    aside = target.with_name(f".{target.name}")
    with pq.ParquetWriter(aside, _schema(), compression="zstd") as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(columns=[name for name, _, _ in COLUMNS]):
                    kept = batch.filter(pc.invert(pc.is_in(batch.column("case").cast(pa.string()), unwanted)))
                    written += kept.num_rows
                    if kept.num_rows:
                        writer.write_batch(kept.cast(_schema()))
    if written:
        _finish(aside, target)
    else:
        aside.unlink()
        target.unlink(missing_ok=True)


def _finish(aside: Path, target: Path) -> None:
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(aside, target)


def _add_parts(folder: Path, store: Store, entries: Iterator[Known]) -> int:
    """Write the values of cases that are not in the table to new parts; return the number of cases."""
    import pyarrow.parquet as pq

    added = 0
    entry = next(entries, None)
    while entry is not None:
        number = 1 + max((int(part.stem.split("-")[1]) for part in _parts(folder)), default=0)
        target = folder / f"part-{number:05d}.parquet"
        aside = target.with_name(f".{target.name}")
        in_part = 0
        with pq.ParquetWriter(aside, _schema(), compression="zstd") as writer:
            while entry is not None and in_part < _PART_CASES:
                batch = []
                while entry is not None and len(batch) < _BATCH_CASES:
                    batch.append(entry)
                    entry = next(entries, None)
                writer.write_table(_table(store, batch))
                in_part += len(batch)
        _finish(aside, target)
        added += in_part
    return added


def _merge_small(folder: Path) -> None:
    """Put small parts together into the first of them."""
    small = [part for part in _parts(folder) if part.stat().st_size < _SMALL_BYTES]
    if len(small) > _MOST_SMALL:
        _rewrite(small, small[0], set())
        # After a crash here cases are in two parts; the next rebuild takes them out of the later one.
        for part in small[1:]:
            part.unlink()


def _table(store: Store, entries: Iterable[Known]) -> Any:
    import pyarrow as pa

    columns: list[list] = [[] for _ in COLUMNS]
    for entry in entries:
        for row in rows_of(store.read(entry.key), entry.at):
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    schema = _schema()
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _schema() -> Any:
    import pyarrow as pa

    # Names recur in millions of rows: they are stored once and referred to.
    kinds = {"word": pa.dictionary(pa.int32(), pa.string()), "text": pa.string(), "number": pa.float64()}
    described = [pa.field(name, kinds[kind], metadata={"description": words}) for name, kind, words in COLUMNS]
    return pa.schema(described, metadata={"version": str(VERSION)})
