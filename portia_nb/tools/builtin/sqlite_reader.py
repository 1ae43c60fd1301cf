"""Read an SQLite database in a way that can neither write, nor open a file, nor run for ever.

Opening a file read-only isn't enough: such a connection still attaches and writes other files. So
four things hold at once: read-only mode, an authorizer that lets nothing but reading through, a
deadline that SQLite itself looks at, and limits on lengths, rows and bytes.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

TIME_LIMIT_S = 5.0
MAX_ROWS = 1_000
MAX_RESULT_CHARS = 1_000_000
MAX_QUERY_CHARS = 20_000
MAX_VALUE_BYTES = 250_000
"""Longest text or blob. Functions such as `instr` look at no deadline, and their work grows with
the square of it: this keeps one call below a second."""

_STEPS_BETWEEN_LOOKS = 1_000
_WAL_MARK = slice(18, 20)
_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
# printf takes a width in the thousands of millions, and counts it out before it looks at a limit.
_FORBIDDEN_FUNCTIONS = frozenset(
    {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "printf", "format"}
)
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*([A-Za-z]*)", re.DOTALL)
_READING_WORDS = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN"})
# Tables of SQLite's own that are made when first used, which the authorizer takes for a change.
_MADE_AT_FIRST_USE = (
    "SELECT 1 FROM json_each('[]')",
    "SELECT 1 FROM json_tree('[]')",
    "SELECT 1 FROM pragma_table_xinfo('')",
)
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * MAX_QUERY_CHARS,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
}


class QueryRefused(Exception):
    """A query that can't be run; the text says why."""


class NotADatabase(Exception):
    """The file can't be read as a database; the text says why."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found."""

    columns: list[str]
    rows: list[list[Any]]
    """Values as JSON: a blob is the text of its bytes in hexadecimal."""
    is_cut: bool
    """True: there were more rows than `MAX_ROWS`, or than fit."""


def check_query(query: str) -> None:
    r"""Refuse what doesn't even begin like a reading statement.

    Raises:
        QueryRefused: its first word isn't one of reading, or it is too long.

    >>> check_query("-- all of it\nSELECT * FROM item")
    >>> check_query("/* SELECT */ VACUUM")
    Traceback (most recent call last):
        ...
    portia_nb.tools.builtin.sqlite_reader.QueryRefused: only reading is allowed: begin with SELECT
    """
    if len(query) > MAX_QUERY_CHARS:
        raise QueryRefused(f"it has more than {MAX_QUERY_CHARS:,} characters")
    word = _FIRST_WORD.match(query)
    if word is None or word[1].upper() not in _READING_WORDS:
        raise QueryRefused("only reading is allowed: begin with SELECT")


class SqliteReader:
    """A connection to a database that only reads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `connection`, which `open_database` has made harmless."""
        self._connection = connection

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> Rows:
        """Return what `query`, one statement, finds.

        Raises:
            QueryRefused: it is no single reading statement, SQLite finds it wrong, or it took too
                long.
            NotADatabase: the file is no database, or damaged.
        """
        check_query(query)
        with _explained():
            cursor = self._connection.execute(query, parameters)
            if cursor.description is None:
                raise QueryRefused("it reads nothing: write one SELECT statement")
            columns = [str(column[0]) for column in cursor.description]
            rows: list[list[Any]] = []
            left = MAX_RESULT_CHARS
            for found in cursor:
                row = [_plain(value) for value in found]
                left -= sum(len(value) if isinstance(value, str) else 8 for value in row)
                if left < 0 or len(rows) == MAX_ROWS:
                    return Rows(columns, rows, is_cut=True)
                rows.append(row)
            return Rows(columns, rows, is_cut=False)


@contextmanager
def open_database(path: Path, *, pragma: str | None = None) -> Generator[SqliteReader]:
    """Open the database at `path` for reading, and close it.

    Args:
        path: the file; who calls has checked that it may be read.
        pragma: the one pragma that is allowed as well, as a function that is read from.

    Raises:
        NotADatabase: it can't be opened.
    """
    # A database in WAL mode that nobody writes would have files made beside it, just for reading.
    way = "mode=ro&immutable=1" if _is_at_rest(path) else "mode=ro"
    deadline = time.monotonic() + TIME_LIMIT_S
    try:
        connection = sqlite3.connect(
            f"file:{quote(path.as_posix())}?{way}", uri=True, timeout=1.0, isolation_level=None
        )
    except sqlite3.Error as error:
        raise NotADatabase(f"it can't be opened ({error})") from error
    try:
        connection.text_factory = _text
        for limit, most in _LIMITS.items():
            connection.setlimit(limit, most)
        with _explained():
            # Sorting must not spill into files.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA trusted_schema = OFF")
            for query in _MADE_AT_FIRST_USE:
                with suppress(sqlite3.OperationalError):  # built without JSON
                    connection.execute(query).fetchall()
        connection.set_progress_handler(
            lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_LOOKS
        )
        connection.set_authorizer(_authorizer(pragma))
        yield SqliteReader(connection)
    finally:
        connection.close()


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except sqlite3.NotSupportedError as error:
        raise QueryRefused(str(error)) from error
    except (sqlite3.Error, sqlite3.Warning, OverflowError, MemoryError, ValueError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN):
            raise NotADatabase(f"it is no SQLite database, or damaged ({error})") from error
        if code == sqlite3.SQLITE_INTERRUPT:
            raise QueryRefused(f"it took longer than {TIME_LIMIT_S:g} s") from error
        if code == sqlite3.SQLITE_AUTH or "not authorized" in str(error):
            raise QueryRefused(f"only reading is allowed ({error})") from error
        raise QueryRefused(str(error) or type(error).__name__) from error


def _authorizer(pragma: str | None) -> Any:
    def decide(action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() not in _FORBIDDEN_FUNCTIONS
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = pragma is not None and first == pragma
        else:
            allowed = action in _READS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return decide


def _is_at_rest(path: Path) -> bool:
    """Say whether a database keeps a write-ahead log, but has none at present."""
    with path.open("rb") as stream:
        header = stream.read(100)
    log = path.with_name(f"{path.name}-wal")
    return header[_WAL_MARK] == b"\x02\x02" and not (log.exists() and log.stat().st_size)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
