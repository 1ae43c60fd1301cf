"""The SQL tools read, and nothing else: 100 statements that try otherwise."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portia_nb.config import Config
from portia_nb.errors import ToolHardError, ToolSoftError
from portia_nb.tools.builtin import sqlite_reader
from portia_nb.tools.builtin.sql import (
    CheckSQLTool,
    GetTableSchemasTool,
    ListTablesTool,
    RunSQLTool,
)
from portia_nb.tools.context import ToolRunContext

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    with sqlite3.connect(folder / "shop.db") as database:
        database.executescript(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, photo BLOB,"
            " gross REAL AS (price * 1.25));"
            "CREATE TABLE secret (word TEXT);"
            "CREATE VIEW cheap AS SELECT name FROM item WHERE price < 2;"
            "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM secret; END;"
            "CREATE VIRTUAL TABLE words USING fts5(body);"
            "INSERT INTO words VALUES ('ham spam');"
            "INSERT INTO item (name, price, photo) VALUES ('tea', 1.5, x'ff00'), ('cup', 4, NULL);"
            "INSERT INTO secret VALUES ('old');"
        )
    database.close()
    return folder


def context(root: Path) -> ToolRunContext:
    return ToolRunContext(config=Config(file_root=root))


def run(root: Path, query: str) -> dict[str, Any]:
    return RunSQLTool(database="shop.db").run(context(root), query)


def state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- reading --------------------------------------------------------------------------------------


def test_tables_and_columns_are_told_and_rows_are_read(root: Path) -> None:
    ctx = context(root)
    assert {"cheap", "item", "secret"} <= set(ListTablesTool().run(ctx, "shop.db"))
    (columns,) = GetTableSchemasTool().run(ctx, ["item"], "shop.db").values()
    assert columns[:2] == [
        {"name": "id", "type": "INTEGER", "nullable": True, "primary_key": True},
        {"name": "name", "type": "TEXT", "nullable": False, "primary_key": False},
    ]
    assert columns[-1]["name"] == "gross"
    assert run(root, "SELECT name, price, photo, gross FROM item ORDER BY id") == {
        "columns": ["name", "price", "photo", "gross"],
        "rows": [["tea", 1.5, "ff00", 1.875], ["cup", 4.0, None, 5.0]],
        "is_cut": False,
    }


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT name FROM cheap", [["tea"]]),
        ("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<3) TABLE_", None),
        (f"{SLOW} SELECT sum(i) FROM (SELECT i FROM n LIMIT 10)", [[55]]),
        ("VALUES (1, 'a''b'), (2, NULL)", [[1, "a'b"], [2, None]]),
        ("SELECT value FROM json_each('[1,2]')", [[1], [2]]),
        ("SELECT count(*), max(price) FROM item -- and a comment; DROP TABLE item", [[2, 4.0]]),
        ("SELECT name FROM item WHERE name LIKE 't%' UNION SELECT word FROM secret", None),
        ("SELECT rank() OVER (ORDER BY price) FROM item", [[1], [2]]),
    ],
)
def test_what_only_reads_is_run(root: Path, query: str, rows: list[list[Any]] | None) -> None:
    if query.endswith("TABLE_"):
        with pytest.raises(ToolSoftError, match="syntax error"):
            run(root, query)
    else:
        found = run(root, query)["rows"]
        assert found == rows if rows is not None else len(found) == 2


def test_a_query_is_checked_without_being_run(root: Path) -> None:
    check = CheckSQLTool(database="shop.db")
    ctx = context(root)
    assert check.run(ctx, "SELECT name FROM item") == "ok"
    assert check.run(ctx, f"{SLOW} SELECT count(*) FROM n") == "ok"
    assert check.run(ctx, "SELECT nme FROM item") == "no such column: nme"
    assert "only reading is allowed" in check.run(ctx, "DELETE FROM item")


def test_a_large_answer_is_cut_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(root, f"{SLOW} SELECT i FROM n")
    assert len(found["rows"]) == 1_000
    assert found["is_cut"] is True
    wide = run(root, f"{SLOW} SELECT hex(zeroblob(50000)) FROM n")
    assert len(wide["rows"]) == 10
    assert wide["is_cut"] is True


def test_a_wrong_query_is_a_soft_error_and_a_wrong_table_lists_those_that_there_are(
    root: Path,
) -> None:
    with pytest.raises(ToolSoftError, match=r"was not run on 'shop.db': no such table: itm"):
        run(root, "SELECT * FROM itm")
    with pytest.raises(ToolSoftError, match="no table 'itm': the tables are cheap, item, secret"):
        GetTableSchemasTool().run(context(root), ["itm"], "shop.db")


# -- what isn't a database ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "no database is named"),
        ("", "no database is named"),
        ("none.db", "there is no such file"),
        ("../shop.db", "'..' may not stand in a name"),
        ("/etc/passwd", "outside the folder"),
        ("file:shop.db?mode=rwc", "no backslash, colon"),
        (":memory:", "no backslash, colon"),
        ("text.db", "no SQLite database"),
        ("link.db", "a link that leads out"),
        (".hidden.db", "starts with a dot"),
    ],
)
def test_what_is_no_database_in_the_folder_is_a_hard_error(
    root: Path, name: str | None, words: str
) -> None:
    (root / "text.db").write_text("not a database, but long enough to be looked at\n" * 100)
    (root / "link.db").symlink_to("/etc/passwd")
    before = state(root)
    with pytest.raises(ToolHardError, match=words):
        RunSQLTool().run(context(root), "SELECT name FROM item", name)
    assert state(root) == before


def test_a_name_with_signs_that_mean_something_in_an_address_is_only_a_name(root: Path) -> None:
    (root / "shop.db").rename(root / "a?mode=rwc#%41 b.db")
    tool = RunSQLTool(database="a?mode=rwc#%41 b.db")
    assert tool.run(context(root), "SELECT count(*) FROM item")["rows"] == [[2]]


def test_a_database_with_a_log_is_read_and_no_file_is_made_beside_it(root: Path) -> None:
    writer = sqlite3.connect(root / "shop.db")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.close()
    before = state(root)
    assert run(root, "SELECT count(*) FROM item")["rows"] == [[2]]
    assert state(root) == before
    writer = sqlite3.connect(root / "shop.db")
    writer.execute("INSERT INTO item (name) VALUES ('new')")
    writer.commit()
    try:
        assert run(root, "SELECT count(*) FROM item")["rows"] == [[3]]
    finally:
        writer.close()


# -- 100 statements that are no reading -----------------------------------------------------------

WRITES = [
    "INSERT INTO item (name) VALUES ('x')",
    "INSERT INTO item (name) VALUES ('x') RETURNING id",
    "INSERT OR REPLACE INTO item (id, name) VALUES (1, 'x')",
    "REPLACE INTO item (id, name) VALUES (1, 'x')",
    "UPDATE item SET price = 0",
    "UPDATE item SET price = 0 RETURNING *",
    "UPDATE OR IGNORE item SET price = 0",
    "UPDATE sqlite_master SET sql = ''",
    "DELETE FROM item",
    "DELETE FROM item RETURNING *",
    "DELETE FROM sqlite_master",
    "WITH x AS (SELECT 1) DELETE FROM item",
    "WITH x AS (SELECT 1) INSERT INTO item (name) SELECT * FROM x",
    "WITH x AS (SELECT 1) UPDATE item SET price = 1",
    "INSERT INTO words VALUES ('x')",
    "INSERT INTO words(words) VALUES ('rebuild')",
    "INSERT INTO words(words) VALUES ('delete-all')",
    "CREATE TABLE x (a)",
    "CREATE TABLE IF NOT EXISTS x (a)",
    "CREATE TABLE x AS SELECT * FROM item",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMPORARY VIEW x AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER INSERT ON item BEGIN SELECT 1; END",
    "CREATE VIEW x AS SELECT 1",
    "CREATE INDEX x ON item (name)",
    "CREATE UNIQUE INDEX x ON item (name)",
    "CREATE TRIGGER x AFTER DELETE ON item BEGIN DELETE FROM secret; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE VIRTUAL TABLE temp.x USING fts5(a)",
    "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
    "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
    "DROP TABLE item",
    "DROP TABLE IF EXISTS item",
    "DROP VIEW cheap",
    "DROP TRIGGER t",
    "DROP INDEX IF EXISTS x",
    "ALTER TABLE item RENAME TO thing",
    "ALTER TABLE item ADD COLUMN x",
    "ALTER TABLE item DROP COLUMN price",
    "ALTER TABLE item RENAME COLUMN price TO cost",
    "REINDEX",
    "REINDEX item",
    "ANALYZE",
    "ANALYZE item",
    "VACUUM",
    "VACUUM INTO 'out.db'",
    "VACUUM INTO '/tmp/portia-nb-out.db'",
    "VACUUM main INTO 'out.db'",
    "ATTACH 'out.db' AS x",
    "ATTACH DATABASE 'file:out.db?mode=rwc' AS x",
    "ATTACH '/tmp/portia-nb-out.db' AS x",
    "ATTACH ':memory:' AS x",
    "ATTACH '' AS x",
    "DETACH main",
    "DETACH DATABASE temp",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "BEGIN EXCLUSIVE TRANSACTION",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "PRAGMA writable_schema = ON",
    "PRAGMA writable_schema",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
    "PRAGMA schema_version = 7",
    "PRAGMA query_only = OFF",
    "PRAGMA temp_store = FILE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA data_store_directory = '/tmp'",
    "PRAGMA trusted_schema = ON",
    "PRAGMA mmap_size = 1000000000",
    "PRAGMA cache_size = 100000000",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA shrink_memory",
    "PRAGMA table_info(item)",
    "PRAGMA database_list",
    "SELECT * FROM pragma_database_list",
    "SELECT load_extension('/tmp/evil.so')",
    "SELECT load_extension('/tmp/evil.so', 'main')",
    "SELECT writefile('out.txt', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT edit('x', 'vi')",
    "EXPLAIN DELETE FROM item",
    "EXPLAIN QUERY PLAN DROP TABLE item",
    "SELECT 1; DROP TABLE item",
    "SELECT 1; ATTACH 'out.db' AS x; CREATE TABLE x.y (a)",
    "; DROP TABLE item",
    "SELECT 1;\x00DROP TABLE item",
    ".shell touch out.txt",
    ".output out.txt",
    "COPY item TO '/tmp/x'",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE item",
    "SELECT * INTO OUTFILE '/tmp/x' FROM item",
    "",
    "-- nothing",
]

BOMBS = [
    f"{SLOW} SELECT count(*) FROM n",
    f"{SLOW} SELECT i FROM n ORDER BY i DESC",
    f"{SLOW} SELECT count(*) FROM n a, n b, n c",
    f"{SLOW}, m AS (SELECT i FROM n LIMIT 200000) SELECT count(*) FROM m a JOIN m b ON a.i <> b.i",
    "SELECT randomblob(2000000000)",
    "SELECT hex(zeroblob(1000000000))",
    "SELECT printf('%.*c', 2000000000, 'x')",
    "SELECT replace(hex(zeroblob(60000)), '0', hex(zeroblob(60000)))",
    f"{SLOW} SELECT group_concat(i) FROM n",
    f"{SLOW} SELECT json_group_array(i) FROM n",
    "SELECT instr(hex(zeroblob(120000)), hex(zeroblob(60000)) || '1')",
    "SELECT hex(zeroblob(120000)) LIKE '" + "%0" * 400 + "1'",
    "SELECT hex(zeroblob(120000)) GLOB '" + "*0" * 400 + "1'",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT 1" + " UNION ALL SELECT 1" * 900,
    "SELECT " + "abs(" * 2_000 + "1" + ")" * 2_000,
    "SELECT * FROM " + ", ".join(f"item i{n}" for n in range(40)),
    "SELECT '" + "x" * 30_000 + "'",
]


def test_the_corpus_has_at_least_100_statements() -> None:
    assert len({*WRITES, *BOMBS}) >= 100


@pytest.mark.parametrize("query", WRITES)
def test_no_statement_writes_or_makes_a_file(
    root: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    before = state(root.parent)
    began = time.monotonic()
    with pytest.raises(ToolSoftError):
        run(root, query)
    assert CheckSQLTool(database="shop.db").run(context(root), query) != "ok"
    assert time.monotonic() - began < 2
    assert state(root.parent) == before
    assert not Path("/tmp/portia-nb-out.db").exists()


@pytest.mark.parametrize("query", BOMBS, ids=range(len(BOMBS)))
def test_no_statement_runs_much_longer_than_the_limit(
    root: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reader, "TIME_LIMIT_S", 0.3)
    before = state(root.parent)
    began = time.monotonic()
    with suppress(ToolSoftError):
        run(root, query)
    assert time.monotonic() - began < 2.5
    assert state(root.parent) == before
