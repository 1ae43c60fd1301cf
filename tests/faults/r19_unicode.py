"""R19: names, tasks, outputs and errors in every script, and with what screens obey."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import random
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from portia_nb import Config, PlanBuilderV2, PlanRun, Portia
from portia_nb.cli.main import main as portia_nb
from portia_nb.drawing.dot import plan_to_dot
from portia_nb.drawing.plan_picture import shown_states
from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.drawing.text import plan_to_text, run_to_text
from portia_nb.notebook.static_record import plan_bundle, run_bundle
from portia_nb.session.opening import open_run

from .row import Facts, Row, Trial

PIECES = (
    "Grüße", "世界", "שלום", "مرحبا بالعالم", "हिन्दी", "ไทย", "e\u0301a\u0308", "ﷺ", "İıſß",
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇳🇴", "🫠", "a" + "\u0301" * 300,
    "\u200fabc\u200e", "\u202etxt.exe\u202c",
    "\u2066isolated\u2069", "\ufeff\u200b\u2060", "\U000e0041\U000e0042", "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "\x1b]8;;http://x\x07link\x1b]8;;\x07", "\x9b2J", "\x07\x08\x7f", "\r\n",
    "\u2028\u2029\x85", "<b>&amp;<b>", '"quoted\\', "\x00nul", "ÿ\ud800 lone", "\ue000private",
    "\uffff\ufdd0", "﷽", "\uff26\uff35", "\x1bP0;1|17/ab\x1b\\", "plain", " ", "\t", "💥" * 40,
)  # fmt: skip
ID = re.compile(r"(plan|prun|clar)-[0-9a-f-]{36}")


def text_of(rng: random.Random) -> str:
    """Return a text of some pieces; now and then one of 10,000 characters."""
    text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8)))
    return (text * 10_000)[:10_000] if rng.random() < 0.1 else text


def plan_text(rng: random.Random) -> str:
    """Return one for a plan, which takes no half of a character."""
    return text_of(rng).replace("\ud800", "")


def name_of(rng: random.Random) -> str:
    """Return one for a step: a name may not look like a path."""
    return "n" + re.sub(r"[$/\[\]]", "", plan_text(rng)) + "n"


def check_shown(what: str, text: str) -> None:
    """Check that `text` holds nothing that a screen would obey instead of show."""
    for char in set(text):
        category = unicodedata.category(char)
        obeyed = (category in ("Cc", "Zl", "Zp") and char not in "\n\t") or category == "Cs"
        turned = char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        assert not obeyed, f"{what} holds {char!r}"
        assert not turned, f"{what} holds {char!r}, which turns the text around"
    text.encode()


@contextlib.contextmanager
def log_of() -> Iterator[io.StringIO]:
    """Collect what is logged."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("portia_nb")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def said_by_cli(*words: str) -> str:
    """Return what the command line prints, wherever it prints it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        portia_nb(words)
    return out.getvalue()


class Odd:
    """The texts of one case, and the run over them."""

    def __init__(self, folder: Path, number: int) -> None:
        self.rng = random.Random(number)
        self.folder = folder
        self.values = [text_of(self.rng) for _ in range(3)]
        self.option = plan_text(self.rng)
        self.fails = number % 3 == 2
        self.asks = number % 3 == 1

    def run(self, portia: Portia) -> PlanRun:
        """Run a plan in which each text is odd."""
        rng, values, option = self.rng, self.values, self.option

        def raise_it() -> None:
            raise type(text_of(rng)[:30].replace("\x00", "") or "E", (Exception,), {})(values[2])

        builder = PlanBuilderV2(plan_text(rng))
        builder.function_step(
            function=lambda: {"value": values[0], values[1]: [values[2]]}, step_name=name_of(rng)
        )
        builder.function_step(function=lambda: values[1], step_name=f"second {name_of(rng)}")
        if self.asks:
            builder.user_input(message=plan_text(rng), options=[option, "b"], step_name="asks")
        if self.fails:
            builder.function_step(function=raise_it, step_name=f"fails {name_of(rng)}")
        return portia.run_plan(builder.build())


def check(odd: Odd, portia: Portia, run: PlanRun) -> None:
    """Check what is kept, and everything that shows it."""
    kept = open_run(portia.store, run.id)
    values = [record.value for record in kept.steps.values()][:2]
    first = {"value": odd.values[0], odd.values[1]: [odd.values[2]]}
    assert values == [first, odd.values[1]], "a value came back changed"
    if odd.asks:
        (asked,) = run.get_outstanding_clarifications()
        assert asked.options[0] == odd.option
        assert ID.fullmatch(asked.id)
    assert ID.fullmatch(str(run.id))
    assert ID.fullmatch(str(kept.plan.id))
    states = shown_states(kept)
    svg = plan_to_svg(kept.plan, states)
    ElementTree.fromstring(svg)
    shown: dict[str, Any] = {
        "svg": svg,
        "text of the plan": plan_to_text(kept.plan, states),
        "text of the run": run_to_text(kept),
        "DOT": plan_to_dot(kept.plan, states),
        "portia-nb show": said_by_cli("show", str(run.id), "--store", str(odd.folder)),
        "portia-nb runs": said_by_cli("runs", "--store", str(odd.folder)),
    }
    for bundle in (run_bundle(kept), plan_bundle(kept.plan)):
        shown |= {f"{mime} of {id(bundle)}": data for mime, data in bundle.items()}
    for what, data in shown.items():
        if isinstance(data, str):
            check_shown(what, data)
        else:
            json.dumps(data, allow_nan=False, ensure_ascii=False).encode()


def be_odd(trial: Trial) -> Facts:
    """Run, keep and show the odd texts of this trial."""
    for number in trial.numbers:
        folder = trial.folder / str(number)
        odd = Odd(folder, number)
        portia = Portia(Config(store=str(folder)), tools=[])
        with log_of() as log:
            run = odd.run(portia)
        wanted = "FAILED" if odd.fails else "NEED_CLARIFICATION" if odd.asks else "COMPLETE"
        assert run.state == wanted, run.error
        check_shown("the log", log.getvalue())
        check(odd, portia, run)
        portia.store.close()
    return {}


ROW = Row(
    id="R19",
    fault="RTL, joiners, combining marks, emoji, control and terminal sequences, 10,000 characters",
    full=300,
    batch=10,
    trial=be_odd,
    sample=(0,),
    sample_batch=6,
    holds="kept as they are, ids opaque, nothing that a screen obeys in picture, text or log",
)
