"""What the arguments of a command name: plans, runs, and values of Python expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption, PlanRunNotFoundError

from .nearness import nearest
from .offered import variables

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.notebook.face import Face
    from portia_nb.session.map_result import PlanMap

    from .call import Call


def plan_named(face: Face, word: str) -> Plan:
    """Return the plan that a variable holds, or that goes by a name or an id.

    Raises:
        InvalidOption: neither.
        PlanNotFoundError: the store holds no plan of this id.
    """
    from portia_nb.model.plan import Plan
    from portia_nb.planning.bound import built_plan

    value = face.shell.user_ns.get(word)
    if isinstance(value, Plan):
        return value
    if word in face.plans:
        return face.plans[word]
    if word.startswith("plan-"):
        kept = face.portia().store.load_plan(word)
        # As this process built it, where it did: then its functions are there.
        return built_plan(kept.content_hash()) or kept
    store = face.portia().store
    names = [version.name for version in store.find_versions()]
    if word in names:
        return face.portia().edit(word).plan
    plans = [
        *names,
        *(
            name
            for name, each in face.shell.user_ns.items()
            if isinstance(each, Plan) and not name.startswith("_")
        ),
    ]
    raise InvalidOption(f"{word!r} is no plan: {nearest(word, plans)}", option=word)


def plan_to_use(face: Face, word: str) -> Plan:
    """Return what `plan_named` does; say so where the name means another version by now.

    A variable goes before a name, and Python code that changes a plan under a name changes no
    variable.
    """
    plan = plan_named(face, word)
    if face.shell.user_ns.get(word) is plan:
        versions = face.portia().store.find_versions(word)
        current = next((each for each in versions if each.is_current), None)
        sha256 = plan.content_hash()
        held = [each.number for each in versions if each.plan_hash == sha256]
        if held and current is not None and current.plan_hash != sha256:
            face.say(
                f"The variable {word} holds version {held[-1]} of the plan {word!r}, and this uses "
                f"it; the name means version {current.number} now, which %portia run "
                f"{current.plan_id} runs and {word} = portia.edit({word!r}).plan puts into the "
                "variable."
            )
    return plan


def run_named(face: Face, word: str | None) -> str:
    """Return the id of the run that a variable holds, an id's beginning names, or was last.

    Raises:
        PlanRunNotFoundError: there is none.
    """
    from portia_nb.session.finding import latest_runs

    if word is None:
        last = next(reversed(face.runs), None)
        rows = [] if last else latest_runs(face.portia().store)
        if last is None and not rows:
            raise PlanRunNotFoundError(
                "there is no run yet: a %%portia cell makes one, or %portia run PLAN"
            )
        return last or rows[0].run_id
    value = face.shell.user_ns.get(word)
    if value is not None and str(getattr(value, "id", "")).startswith("prun-"):
        return str(value.id)
    if type(value).__name__ == "PlanMap":
        raise PlanRunNotFoundError(
            f"{word!r} holds a map, which is many runs: %portia show {word}, resume and why take "
            f"it, and {word}.rows names the run of each row",
            plan_run_id=word,
        )
    known = [*face.runs, *(row.run_id for row in latest_runs(face.portia().store))]
    matching = {run_id for run_id in known if run_id.startswith(word)}
    if len(matching) > 1 and word not in matching:
        raise PlanRunNotFoundError(
            f"{word!r} is the beginning of {len(matching)} runs: {', '.join(sorted(matching)[:5])}"
        )
    if matching:
        return word if word in matching else matching.pop()
    if word.startswith("prun-") and len(word) == len("prun-") + 36:
        return word
    near = nearest(
        word, variables(face, lambda each: type(each).__name__ in ("PlanRun", "LiveRun"))
    )
    hint = f": {near}" if near.startswith("did") else "; %portia runs lists them"
    if any(word == step.name for plan in face.plans.values() for step in plan.steps):
        hint = ", but a step: name its run here, or none for the latest"
    raise PlanRunNotFoundError(f"{word!r} is no run{hint}", plan_run_id=word)


def map_named(face: Face, word: str | None) -> PlanMap | str | None:
    """Return the map that a variable holds, or the id of one; None: another thing is meant.

    Raises:
        PlanRunNotFoundError: it looks like a map's id, and there is none, or more than one.
    """
    from portia_nb.session import map_kept

    value = face.shell.user_ns.get(word) if word else None
    if type(value).__name__ == "PlanMap":
        return value
    return map_kept.map_named(face.portia().store, word if value is None else value)


def values_of(call: Call, option: str) -> dict[str, Any]:
    """Return the values of ``NAME=EXPR`` options, evaluated as the notebook's own code.

    Raises:
        InvalidOption: an expression fails (chained).
    """
    found: dict[str, Any] = {}
    for name, expression in call.options.pairs(option).items():
        try:
            found[name] = call.face.shell.ev(expression)
        except Exception as error:
            raise InvalidOption(
                f"--{option} {name}={expression}: {type(error).__name__}: {error} (text goes in "
                "quotes)",
                option=f"--{option}",
            ) from error
    return found
