"""Opens files that strangers uploaded: size, encoding, lines; nothing in them is ever run."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data import DataRefused

CELL_LIMIT = 64 * 1024
"""Characters of one line of JSON, or of one cell of a table."""


@dataclass(frozen=True)
class Limits:
    """How big a file may be."""

    size_bytes: int
    rows: int


UPLOADED = Limits(size_bytes=64 * 2**20, rows=200_000)
PUBLIC_TABLE = Limits(size_bytes=2**30, rows=1_000_000)
"""For tables that somebody published; the one of 257,000 dialogues has 140 MB."""

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SAVE_AGAIN = "Save the file as UTF-8 and upload it again."

Row = tuple[int, dict[str, Any]]
"""The line a row stands on, and its fields."""


def rows(path: Path, limits: Limits = UPLOADED) -> Iterator[Row]:
    """Yield the rows of a table or of JSON Lines, by the file's name.

    Raises DataRefused with the line's number for what is neither.
    """
    text = read_text(path, limits)
    found = _table(text) if path.suffix.lower() in {".csv", ".tsv"} else _json_lines(text)
    for count, row in enumerate(found, 1):
        if count > limits.rows:
            raise DataRefused(
                f"{path.name} has more than {limits.rows:,} rows.", hint="Split the file, or leave rows out."
            )
        yield row


def read_text(path: Path, limits: Limits = UPLOADED) -> str:
    """Return a file's text: UTF-8 with or without a byte-order mark, UTF-16 with one, else Windows-1252."""
    try:
        size = path.stat().st_size
        if size > limits.size_bytes:
            raise DataRefused(
                f"{path.name} has {size / 2**20:.0f} MB; at most {limits.size_bytes // 2**20} are read.",
                hint="Split the file, or leave rows out.",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise DataRefused(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if not raw.strip():
        raise DataRefused(f"{path.name} is empty.")
    return _decoded(raw, path)


def _decoded(raw: bytes, path: Path) -> str:
    marked = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
    if not marked and b"\0" in raw:
        raise DataRefused(f"{path.name} is not a text file.", hint="Export it as CSV or JSON Lines.")
    try:
        return raw.decode(marked or "utf-8")
    except UnicodeDecodeError as error:
        if path.suffix.lower() in {".csv", ".tsv"} and not marked:
            return raw.decode("cp1252", errors="replace")  # what spreadsheets write on Windows
        line = raw[: error.start].count(b"\n") + 1
        raise DataRefused(f"line {line}: not valid {marked or 'UTF-8'}.", hint=_SAVE_AGAIN) from error


def _json_lines(text: str) -> Iterator[Row]:
    # Not splitlines: a message may hold U+2028 or U+0085, and JSON does not escape them.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if len(line) > CELL_LIMIT:
            raise DataRefused(f"line {number}: longer than {CELL_LIMIT:,} characters.")
        yield number, _object(line, number)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        raise DataRefused(f"line {number}: not JSON ({reason}).", hint="One JSON object a line.") from error
    if not isinstance(read, dict):
        raise DataRefused(f"line {number}: not a JSON object.", hint="One JSON object a line.")
    return read


def _table(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
    try:
        names = [name.strip().casefold() for name in next(reader, [])]
        _check_header(names)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _cells(names, cells, reader.line_num)
    except csv.Error as error:
        raise DataRefused(f"line {reader.line_num}: {error}.", hint="Export the table again.") from error


def _dialect(text: str) -> type[csv.Dialect]:
    """Return commas, semicolons or tabs, whichever the header uses most; nothing else is guessed."""
    header = text.split("\n", 1)[0]

    class Dialect(csv.excel):
        delimiter = max(",;\t", key=header.count)

    return Dialect


def _check_header(names: list[str]) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataRefused(f"line 1: the column {twice[0]!r} stands there twice.")


def _cells(names: list[str], cells: list[str], number: int) -> dict[str, Any]:
    if len(cells) > len(names):
        raise DataRefused(
            f"line {number}: {len(cells)} cells under {len(names)} columns.",
            hint="A cell that holds the separator must stand in double quotes.",
        )
    if any(len(cell) > CELL_LIMIT for cell in cells):
        raise DataRefused(f"line {number}: a cell is longer than {CELL_LIMIT:,} characters.")
    return {name: cell for name, cell in zip(names, cells, strict=False) if name}
