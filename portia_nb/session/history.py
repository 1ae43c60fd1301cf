"""All runs of a project: found by what one remembers of them, as a list that shows itself."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any, overload

from portia_nb.drawing.clean import clean, untypeset
from portia_nb.drawing.text import cells, counted, cut_cells
from portia_nb.errors import InvalidOption
from portia_nb.model.estimate import dollars
from portia_nb.model.prices import price_of
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.storage.history import RunFilter, RunWork
from portia_nb.storage.owner import is_alive
from portia_nb.storage.pruning import age

from .frames import frame

if TYPE_CHECKING:
    from portia_nb.storage.store import RunRow, Store

PAGE_SIZE = 50
DIED = "process died"
WORDS: Mapping[PlanRunState, str] = {
    PlanRunState.NOT_STARTED: "not started",
    PlanRunState.IN_PROGRESS: "running",
    PlanRunState.NEED_CLARIFICATION: "needs you",
    PlanRunState.READY_TO_RESUME: "stopped",
    PlanRunState.COMPLETE: "done",
    PlanRunState.FAILED: "failed",
}
"""How views call each state."""
_STATES = {word: state for state, word in WORDS.items()} | {
    state.value.lower().replace("_", " "): state for state in WORDS
}
_MAX_GOAL = 60
_Since = str | dt.timedelta | dt.datetime | dt.date


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run in a list of runs."""

    id: str
    goal: str
    """The plan's query."""
    state: str
    """In plain words: ``not started``, ``running``, ``needs you``, ``stopped``, ``done``,
    ``failed``, or ``process died``: it was under way, and nobody is at work on it any more. A map
    some of whose rows failed is ``done, 2 of 50 rows failed``."""
    started: dt.datetime | None
    """When it was first started, with the time zone of this machine; None: not yet."""
    seconds: float
    """Time under way, without the time between a stop and a resume."""
    steps_done: int
    """Steps that are done or skipped."""
    steps: int
    """Steps in the plan, with those inside others."""
    calls: int
    """Calls of models, planning included."""
    input_tokens: int
    output_tokens: int
    cost: float | None
    """US dollars for models, at list prices; None: the price of a model isn't known."""
    fork_of: str | None
    """Id of the run that it was forked from."""
    plan_id: str
    held_by: str | None
    """The other live process that is at work on it; None: none is."""
    row: RunRow = field(repr=False, compare=False)
    """As the store lists it."""
    rows: int | None = None
    """Rows of a map, whose done ones `steps_done` counts; None: it is a run."""


class RunHistory(Sequence[ListedRun]):
    """One page of a list of runs, newest first: a sequence that shows itself.

    >>> from portia_nb import Config, PlanBuilderV2, Portia
    >>> portia = Portia(Config(store="memory"), tools=[])
    >>> run = portia.run_plan(PlanBuilderV2("Say 42").function_step(function=lambda: 42).build())
    >>> found = portia.runs(goal="say")
    >>> len(found), found.total, found[0].state, found[0].steps_done
    (1, 1, 'done', 1)
    """

    def __init__(
        self, runs: Sequence[ListedRun], *, total: int, page: int = 1, page_size: int = PAGE_SIZE
    ) -> None:
        """Hold `runs`.

        Args:
            runs: those of this page.
            total: how many match on all pages.
            page: which page this is, from 1.
            page_size: runs on a page.
        """
        self._runs = tuple(runs)
        self.total = total
        self.page = page
        self.page_size = page_size

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // self.page_size))

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> ListedRun: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ListedRun, ...]: ...
    def __getitem__(self, index: int | slice) -> ListedRun | tuple[ListedRun, ...]:
        """Return a run, or several, by place."""
        return self._runs[index]

    def __iter__(self) -> Iterator[ListedRun]:
        return iter(self._runs)

    def to_frame(self) -> Any:
        """Return the runs as a pandas `DataFrame`, one row for each; columns as in `ListedRun`.

        Raises:
            ImportError: pandas isn't installed; the message says how to install it.
        """
        names = [each.name for each in fields(ListedRun) if each.name != "row"]
        rows = [{name: getattr(run, name) for name in names} for run in self._runs]
        return frame(rows, columns=names)

    def __repr__(self) -> str:
        if not self._runs:
            return "No runs are kept here, or none that match." if self.page == 1 else self._foot()
        table = [_HEAD, *map(_row, self._runs)]
        table = [(*row[:-1], cut_cells(row[-1], _MAX_GOAL)) for row in table]
        widths = [max(cells(row[n]) for row in table) for n in range(len(_HEAD) - 1)]
        lines = [
            "  ".join([c + " " * (w - cells(c)) for c, w in zip(row, widths, strict=False)])
            + f"  {row[-1]}"
            for row in table
        ]
        return "\n".join([*lines, *self._feet()])

    def _repr_html_(self) -> str:
        """Return it as HTML for a notebook: no script, everything escaped, on one line."""
        if not self._runs:
            return f'<div class="portia-record"><p>{_prose(repr(self))}</p></div>'
        left = ' style="text-align:left"'
        head = "".join(f'<th scope="col"{left}>{_prose(cell)}</th>' for cell in _HEAD)
        rows = "".join(
            "<tr>" + "".join(f"<td{left}>{_prose(cell)}</td>" for cell in _row(run)) + "</tr>"
            for run in self._runs
        )
        foot = "".join(f"<p><i>{_prose(each)}</i></p>" for each in self._feet())
        return (
            f'<div class="portia-record"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>{foot}</div>"
        )

    def _feet(self) -> list[str]:
        mapped = next((run.id for run in self._runs if run.rows is not None), None)
        hint = f"A map is one line: runs(of_map={mapped!r}) lists the runs of its rows."
        return ([self._foot()] if self.total > len(self) else []) + ([hint] if mapped else [])

    def _foot(self) -> str:
        return f"Page {self.page} of {self.pages}, of {counted(self.total, 'run')} in all."


_HEAD = ("run", "state", "started", "took", "steps", "calls", "tokens", "cost", "fork of", "goal")


def _row(run: ListedRun) -> tuple[str, ...]:
    spent = run.calls > 0
    tokens = run.input_tokens + run.output_tokens
    return (
        clean(run.id),
        clean(f"{run.state} (held by {run.held_by})" if run.held_by else run.state),
        f"{run.started:%Y-%m-%d %H:%M}" if run.started else "",
        length(run.seconds) if run.started else "",
        f"{run.steps_done}/{run.steps if run.rows is None else f'{run.rows} rows'}",
        f"{run.calls:,}" if spent else "",
        f"{tokens:,}" if spent else "",
        dollars(run.cost) if spent else "",
        clean((run.fork_of or "")[:13]),
        " ".join(clean(run.goal).split()),
    )


def _prose(text: str) -> str:
    return untypeset(escape(text, quote=True)).replace("\n", " ")


def length(seconds: float) -> str:
    """Return a length of time for people.

    >>> [length(each) for each in (0.0121, 4.04, 75, 7260)]
    ['12 ms', '4.0 s', '1 min 15 s', '2 h 01 min']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def find_history(
    store: Store,
    *,
    state: Any = None,
    since: _Since | None = None,
    goal: str | None = None,
    forked_from: PlanRun | str | None = None,
    tool: Any = None,
    of_map: str | None = None,
    limit: int | None = PAGE_SIZE,
    page: int = 1,
) -> RunHistory:
    """Return the runs of `store` that match; the arguments are those of `Portia.runs`.

    Raises:
        InvalidOption: one of them can't be used; `option` says which.
    """
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidOption(f"limit {limit!r}: at least 1 is needed", option="limit")
    if type(page) is not int or page < 1:
        raise InvalidOption(f"page {page!r}: the first page is 1", option="page")
    words = _words_of(state)
    wanted = RunFilter(
        states=None if words is None else frozenset(_STATES.get(w, _RUNNING) for w in words),
        since=None if since is None else _moment(since),
        goal=goal or None,
        forked_from=None if forked_from is None else str(getattr(forked_from, "id", forked_from)),
        tool=None if tool is None else str(getattr(tool, "id", tool)),
        # A map is one line: what its rows did and cost would be told twice.
        map_id=of_map or "",
    )
    rows = [(row, state_of(row)) for row in store.list_runs(wanted)]
    found = [(row, word) for row, word in rows if words is None or word in words]
    size = max(len(found), 1) if limit is None else limit
    shown = found[(page - 1) * size : page * size]
    work = store.work_of([row.run_id for row, _ in shown])
    listed = [_listed(row, word, work.get(row.run_id, RunWork())) for row, word in shown]
    return RunHistory(listed, total=len(found), page=page, page_size=size)


_RUNNING = PlanRunState.IN_PROGRESS


def _words_of(state: Any) -> frozenset[str] | None:
    """Return the words of the states that are asked for, given as words, states, or several."""
    if state is None:
        return None
    given = [state] if isinstance(state, str) else list(state)
    found: set[str] = set()
    for each in given:
        text = str(getattr(each, "value", each)).strip().lower().replace("_", " ")
        if text in ("died", DIED):
            found.add(DIED)
        elif text in _STATES:
            found.add(WORDS[_STATES[text]])
        else:
            known = ", ".join([*WORDS.values(), DIED])
            raise InvalidOption(f"no state {each!r}; the states: {known}", option="state")
    return frozenset(found)


def state_called(word: str) -> PlanRunState | str:
    """Return the state that views call `word`, and a word that is none as it is.

    >>> state_called("stopped").value, state_called("nowhere")
    ('READY_TO_RESUME', 'nowhere')
    """
    return _STATES.get(word.strip().lower(), word)


def _moment(since: _Since) -> float:
    """Return seconds since the epoch: of an age such as ``2d`` before now, a day, or a moment.

    Raises:
        InvalidOption: it is none of these.
    """
    if isinstance(since, str):
        try:
            since = dt.datetime.fromisoformat(since.strip())
        except ValueError:
            try:
                since = age(since)
            except InvalidOption:
                raise InvalidOption(
                    f"{since!r} is no time: write an age such as 2d or 12h, or a day such as "
                    "2026-01-31",
                    option="since",
                ) from None
    if isinstance(since, dt.timedelta):
        return (dt.datetime.now(dt.UTC) - since).timestamp()
    if not isinstance(since, dt.datetime):
        since = dt.datetime.combine(since, dt.time())
    return since.timestamp()  # one without a zone is in this machine's


def state_of(row: RunRow) -> str:
    """Return a run's state in plain words, as `ListedRun.state`."""
    return DIED if row.has_died else WORDS[row.state]


def _listed(row: RunRow, word: str, work: RunWork) -> ListedRun:
    started = work.started_at
    if work.rows is not None:
        done, steps = list(work.row_ends.values()).count("step_done"), work.rows
        failed = list(work.row_ends.values()).count("step_failed")
        if word == WORDS[PlanRunState.FAILED]:
            word = f"done, {failed:,} of {counted(steps, 'row')} failed"
    else:
        done, steps = len(work.over), work.steps
    asked = work.asked.values()
    held = row.owner if row.owner is not None and is_alive(row.owner) else None
    if held is not None and (held.pid, held.host) == (os.getpid(), socket.gethostname()):
        held = None
    return ListedRun(
        id=row.run_id,
        goal=row.query,
        state=word,
        started=None if started is None else dt.datetime.fromtimestamp(started).astimezone(),
        seconds=round(work.seconds, 6),
        steps_done=done,
        steps=steps,
        rows=work.rows,
        calls=sum(each.calls for each in asked),
        input_tokens=sum(each.input_tokens for each in asked),
        output_tokens=sum(each.output_tokens for each in asked),
        cost=_cost(work),
        fork_of=row.forked_from,
        plan_id=row.plan_id,
        held_by=None if held is None else str(held),
        row=row,
    )


def _cost(work: RunWork) -> float | None:
    total = 0.0
    for model, asked in work.asked.items():
        if asked.calls:  # scripted and replayed answers cost nothing
            price = price_of(model)
            if price is None:
                return None
            total += price.cost(asked.input_tokens, asked.output_tokens)
    return total
