"""What is taken out of a run before it is shared, and a list of where and why.

What counts as secret is said in one place, `portia_nb.llm.blotting`; here it is applied to whole
plans and runs as JSON, and each place is noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portia_nb.llm.blotting import BLOT, NAMED, Blotter, is_named_secret

EMAIL = "an e-mail address"
MACHINE = "it names this machine"
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_PROCESS = re.compile(r"(?:^|, )process \d+ on [^,]*")
_NAMERS = ("name", "argument_name")
"""Fields that name what stands beside them in one of `_NAMED_BY_THEM`."""
_NAMED_BY_THEM = ("value", "response", "default")
_MIN_CHARS = 8


@dataclass(frozen=True, slots=True)
class Redacted:
    """One place from which something is taken out."""

    place: str
    """Where, e.g. ``event 4 (tool_called, step 'look'): arguments.headers``."""
    why: str


class Redactor:
    """Takes secrets out of the JSON of one run, and notes each place in `found`."""

    def __init__(
        self, secrets: Iterable[str] = (), *, emails: bool = False, is_on: bool = True
    ) -> None:
        """Know `secrets`, and what looks like one.

        Args:
            secrets: texts that must not be shared.
            emails: True: e-mail addresses are taken out, too.
            is_on: False: nothing is taken out at all.
        """
        self._is_on = is_on
        self.found: list[Redacted] = []
        self._secrets = tuple(secrets)
        self._blotter = Blotter(self._secrets)
        self._emails = emails
        self._names: dict[str, str] = {}
        home = str(Path.home())
        self._home = re.compile(re.escape(home) + r"(?=[/\\])") if len(home) > 1 else None

    def learn(self, *documents: Any) -> None:
        """Look for values that are secret by their names, to find them wherever else they stand."""
        known = {text for each in documents for text in self._named_in(each) if _is_rare(text)}
        self._blotter = Blotter([*self._secrets, *known])

    def plan(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Return a plan's JSON without secrets."""
        if not self._is_on:
            return plan
        return self._json(plan, "plan", "")

    def rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of a map, as JSON, without secrets."""
        return self._json(rows, "rows", "") if self._is_on else rows

    def event(self, seq: int, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event's JSON without secrets; events come in order."""
        if not self._is_on:
            return event
        path = event.get("path")
        where = f", step {path!r}" if path else ""
        place = f"event {seq} ({event.get('kind')}{where})"
        name = ""
        match event.get("kind"):
            case "step_done":
                name = str(path).rpartition("/")[2]
            case "clarification_raised":
                asked = event["clarification"]
                self._names[asked["id"]] = asked.get("argument_name") or ""
            case "clarification_resolved":
                name = self._names.get(event["clarification_id"], "")
            case "run_started":
                event = {**event, "by": self._without_machine(event.get("by") or "", place)}
            case _:
                pass
        if name and any(is_named_secret(name, event.get(key)) for key in _NAMED_BY_THEM):
            event = {**event, "name": name}
            redacted = self._json(event, place, "")
            del redacted["name"]
            return redacted
        return self._json(event, place, "")

    def _without_machine(self, by: str, place: str) -> str:
        kept = _PROCESS.sub("", by).removeprefix(", ")
        if kept != by:
            self.found.append(Redacted(f"{place}: by", MACHINE))
        return kept

    def _json(self, value: Any, place: str, at: str, name: str = "") -> Any:
        """Return `value`, which stands at `at` and is called `name`, without secrets."""
        if is_named_secret(name, value):
            self._note(place, at, NAMED)
            return BLOT
        match value:
            case str():
                return self._text(value, place, at, name)
            case list():
                return [self._json(each, place, f"{at}.{n}") for n, each in enumerate(value)]
            case {"$": "dict", "v": list(pairs)}:
                return {"$": "dict", "v": [self._pair(p, place, at) for p in pairs]}
            case {"$": str(tag), "v": str(packed)} if self._blotter.reasons(packed):
                self._note(place, at, *self._blotter.reasons(packed))
                text = "it holds something that must not be shared"
                return {"$": "unkept", "type": tag, "text": text}
            case dict():
                return self._dict(value, place, at, name)
            case _:
                return value

    def _dict(self, value: dict[str, Any], place: str, at: str, name: str) -> dict[str, Any]:
        beside = next((value[key] for key in _NAMERS if isinstance(value.get(key), str)), "")
        made: dict[str, Any] = {}
        for key, each in value.items():
            # A literal argument stands one level below its name: {"password": {"value": …}}.
            named = (beside.removeprefix("$") or name) if key in _NAMED_BY_THEM else key
            shown = self._text(key, place, f"{at} (a key)", "")
            made[shown] = self._json(each, place, f"{at}.{shown}", named)
        return made

    def _pair(self, pair: Any, place: str, at: str) -> Any:
        match pair:
            case [str(name), value]:
                shown = self._text(name, place, f"{at} (a key)", "")
                return [shown, self._json(value, place, f"{at}.{shown}", name)]
            case _:
                return self._json(pair, place, at)

    def _text(self, text: str, place: str, at: str, name: str) -> str:
        reasons = self._blotter.reasons(text)
        if reasons:
            text = self._blotter.text(text)
        if self._emails and "@" in text:
            without = _EMAIL.sub(BLOT, text)
            reasons += (EMAIL,) if without != text else ()
            text = without
        if name == "traceback" and self._home is not None:
            without = self._home.sub("~", text)
            reasons += (MACHINE,) if without != text else ()
            text = without
        if reasons:
            self._note(place, at, *reasons)
        return text

    def _note(self, place: str, at: str, *reasons: str) -> None:
        where = at.removeprefix(".")
        self.found.append(Redacted(f"{place}: {where}" if where else place, ", ".join(reasons)))

    def _named_in(self, value: Any, name: str = "") -> Iterator[str]:
        if isinstance(value, str):
            if is_named_secret(name, value):
                yield value
        elif isinstance(value, list):
            for each in value:
                yield from self._named_in(each)
        elif isinstance(value, dict):
            beside = next((value[key] for key in _NAMERS if isinstance(value.get(key), str)), "")
            if value.get("kind") == "step_done":
                beside = str(value.get("path")).rpartition("/")[2]
            for key, each in value.items():
                named = (beside.removeprefix("$") or name) if key in _NAMED_BY_THEM else key
                yield from self._named_in(each, named)


def _is_rare(text: str) -> bool:
    """Tell whether `text` is no plain word, so that it is found nowhere by chance."""
    return len(text) >= _MIN_CHARS and not text.isalpha()
