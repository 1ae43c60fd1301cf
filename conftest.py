"""What holds for every test and every doctest: no keys, no settings, no silent skips on CI."""

import logging
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.environment import is_private

TESTS = Path(__file__).parent / "tests"
WAITING = (
    "api",
    "browser",
    "cli",
    "faults",
    "kernel",
    "llm",
    "notebook",
    "notebooks",
    "running",
    "session",
    "storage",
    "stories",
    "tools",
)
"""Folders whose tests wait for threads, kernels, browsers, servers and terminals, beside others."""


# First, since pytest-xdist reads the groups when its turn comes.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give a test that waits for others a second try, and group what must run alone.

    The summary lists each one that needed it: that is a fault to look for, here or in the test, but
    no reason to throw away a whole run.
    """
    folders = tuple(f"{TESTS / name}{os.sep}" for name in WAITING)
    for item in items:
        if str(item.path).startswith(folders):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if config.pluginmanager.hasplugin("xdist") and item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group("alone"))


LIMIT = pytest.StashKey[Any]()


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, Any, Any]:
    item.stash[LIMIT] = settings
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Limit the time of a second try, too: pytest-timeout's clock ends with the first failure."""
    if getattr(item, "execution_count", 1) > 1 and LIMIT in item.stash:
        item.config.hook.pytest_timeout_cancel_timer(item=item)
        item.config.hook.pytest_timeout_set_timer(item=item, settings=item.stash[LIMIT])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Share the tests out as tests/workers.py says, where `make test` asks for it."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.workers import FilesThenAlone

    return FilesThenAlone(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any], dict[str, Any]]:
    """Let half a character that a test has printed reach the summary: workers send UTF-8 only."""
    return sendable((yield))


def sendable(value: Any) -> Any:
    """Return lists, dicts and texts with each half of a character escaped."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {sendable(key): sendable(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(sendable(each) for each in value)
    return value


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide this machine's keys and settings, so that a test can neither need nor leak them."""
    for name in filter(is_private, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PORTIA_CONFIG_FILE", os.devnull)  # not that of the person who tests


@pytest.fixture(autouse=True)
def own_log() -> Generator[None, None, None]:
    """Put the log back as it was, since a Portia sets it up for the whole process."""
    logger = logging.getLogger("portia_nb")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.propagate = propagate
    for handler in [each for each in logger.handlers if each not in handlers]:
        logger.removeHandler(handler)
        handler.close()


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure on CI, where all that the tests need must be there."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI skips no test, but {report.nodeid} was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report
