"""Judging what branches and loops hang on."""

from __future__ import annotations

from portia_nb.errors import FunctionsMissing
from portia_nb.model.plan import Condition

from .models import Models
from .places import Places
from .scope import Scope


async def condition_holds(
    condition: Condition, scope: Scope, *, path: str, models: Models, places: Places
) -> bool:
    """Return whether `condition` holds; what a function returns is awaited where it can be.

    Args:
        condition: what is judged.
        scope: what it sees.
        path: the step that hangs on it.
        models: who judges sentences.
        places: where functions run.

    Raises:
        FunctionsMissing: this process has not got the function.
        Exception: whatever the function raises.
    """
    arguments = {name: scope.resolve(argument) for name, argument in condition.args.items()}
    if condition.sentence is not None:
        return await models.holds(str(scope.resolve(condition.sentence)), arguments, path)
    if condition.value is not None:
        return bool(scope.resolve(condition.value))
    assert condition.function is not None
    function = condition.function.call
    if function is None:
        name = condition.function.name
        raise FunctionsMissing(
            f"step {path!r} needs the function {name!r}, which this process has not got: run the "
            "cell that builds the plan, then resume",
            names=(name,),
        )
    said = await places.call(function, (), arguments, name=f"the condition of step {path!r}")
    return bool(said)
