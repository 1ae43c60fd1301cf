"""`list_tables`, `get_table_schemas`, `run_sql` and `check_sql`: read an SQLite database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from portia_nb.errors import ToolHardError, ToolSoftError
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.folder import GuardedFolder

from .sqlite_reader import (
    NotADatabase,
    QueryRefused,
    Rows,
    SqliteReader,
    check_query,
    open_database,
)

R = TypeVar("R")
MAX_TABLES = 500

_TABLES = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)
# `hidden` above 1 is a generated column, which can be read; 1 belongs to virtual tables.
_COLUMNS = (
    'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid'
)


class DatabaseArguments(BaseModel):
    """Which database."""

    database: str | None = Field(
        default=None,
        description="SQLite file, relative to the folder for files; left out: the tool's own.",
    )


class TablesArguments(DatabaseArguments):
    """Which tables."""

    tables: list[str] = Field(
        min_length=1, max_length=MAX_TABLES, description="Names of the tables."
    )


class QueryArguments(DatabaseArguments):
    """What to read."""

    query: str = Field(min_length=1, description="One SELECT statement in SQLite's dialect.")


class DatabaseTool(Tool[R], Generic[R]):
    """Base of the tools that read a database: a file in the folder that tools may use."""

    side_effect: bool | None = False
    database: str | None = None
    """The database of calls that name none, relative to ``Config.file_root``."""

    @contextmanager
    def _opened(
        self, ctx: ToolRunContext, database: str | None, *, pragma: str | None = None
    ) -> Generator[SqliteReader]:
        """Open the database that is asked for.

        Raises:
            ToolHardError: none is named, its name is refused, or it is none.
            ToolSoftError: the query is refused.
        """
        name = database or self.database
        if not name:
            raise ToolHardError(
                f"{self.id}: no database is named: give database, a file in the folder for files, "
                f"or make the tool with one: {type(self).__name__}(database=…)",
                tool_id=self.id,
            )
        path = GuardedFolder.of(ctx.config.file_root, self.id).path_of(name)
        try:
            with open_database(path, pragma=pragma) as reader:
                yield reader
        except (NotADatabase, OSError) as error:
            raise ToolHardError(
                f"{self.id}: the database {name[:120]!r} can't be read: {error}", tool_id=self.id
            ) from error
        except QueryRefused as error:
            raise ToolSoftError(
                f"{self.id}: the query was not run on {name[:120]!r}: {error}", tool_id=self.id
            ) from error


class ListTablesTool(DatabaseTool[list[str]]):
    """List the tables of a database."""

    id: str = "list_tables"
    name: str = "List Tables"
    description: str = "Lists the tables and views of an SQLite database."
    args_schema: type[BaseModel] = DatabaseArguments
    output_schema: tuple[str, str] = ("list", "Names of tables and views.")

    def run(self, ctx: ToolRunContext, database: str | None = None) -> list[str]:
        """Return the names of tables and views, sorted.

        Raises:
            ToolHardError: the database can't be read.
        """
        with self._opened(ctx, database) as reader:
            return [row[0] for row in reader.rows(_TABLES).rows]


class GetTableSchemasTool(DatabaseTool[dict[str, list[dict[str, Any]]]]):
    """Describe the columns of tables."""

    id: str = "get_table_schemas"
    name: str = "Get Table Schemas"
    description: str = "Tells the columns of tables of an SQLite database: name, type, keys."
    args_schema: type[BaseModel] = TablesArguments
    output_schema: tuple[str, str] = (
        "dict",
        "For each table its columns: name, type, whether it may be null, whether it is a key.",
    )

    def run(
        self, ctx: ToolRunContext, tables: list[str], database: str | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the columns of each of `tables`.

        Raises:
            ToolHardError: the database can't be read.
            ToolSoftError: there is no such table; the message lists those that there are.
        """
        with self._opened(ctx, database, pragma="table_xinfo") as reader:
            known = [row[0] for row in reader.rows(_TABLES).rows]
            missing = [name for name in tables if name not in known]
            if missing:
                raise ToolSoftError(
                    f"{self.id}: there is no table {', '.join(map(repr, missing[:20]))}: the "
                    f"tables are {', '.join(known[:50]) or 'none'}",
                    tool_id=self.id,
                )
            return {name: _columns(reader.rows(_COLUMNS, (name,))) for name in tables}


class RunSQLTool(DatabaseTool[dict[str, Any]]):
    """Read from a database."""

    id: str = "run_sql"
    name: str = "Run SQL"
    description: str = (
        "Runs one SELECT statement on an SQLite database and returns columns and rows, at most "
        "1,000. It can't write."
    )
    args_schema: type[BaseModel] = QueryArguments
    output_schema: tuple[str, str] = (
        "dict",
        "columns: their names; rows: lists of values; is_cut: whether there were more.",
    )

    def run(self, ctx: ToolRunContext, query: str, database: str | None = None) -> dict[str, Any]:
        """Return what `query` finds: at most 1,000 rows and a million characters.

        Raises:
            ToolHardError: the database can't be read.
            ToolSoftError: the query is wrong, isn't one reading statement, or took over 5 s.
        """
        with self._opened(ctx, database) as reader:
            found = reader.rows(query)
        return {"columns": found.columns, "rows": found.rows, "is_cut": found.is_cut}


class CheckSQLTool(DatabaseTool[str]):
    """Check a query without running it."""

    id: str = "check_sql"
    name: str = "Check SQL"
    description: str = "Checks whether a SELECT statement fits an SQLite database; runs nothing."
    args_schema: type[BaseModel] = QueryArguments
    output_schema: tuple[str, str] = ("str", "'ok', or what is wrong.")

    def run(self, ctx: ToolRunContext, query: str, database: str | None = None) -> str:
        """Return "ok", or in words what is wrong with `query`.

        Raises:
            ToolHardError: the database can't be read.
        """
        with self._opened(ctx, database) as reader:
            try:
                check_query(query)
                is_plan = query.lstrip()[:7].upper() == "EXPLAIN"
                reader.rows(query if is_plan else f"EXPLAIN {query}")
            except QueryRefused as refused:
                return str(refused)
        return "ok"


def _columns(found: Rows) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": kind, "nullable": not required, "primary_key": bool(key)}
        for name, kind, required, key in found.rows
    ]
