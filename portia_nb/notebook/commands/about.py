"""``%portia tools``, ``use``, ``doctor`` and ``why``: what is here, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .named import map_named, run_named

if TYPE_CHECKING:
    from .call import Call


async def tools(call: Call) -> list[str]:
    """List the tools, and return their ids."""
    tools = list(call.face.portia().tools)
    width = max((len(tool.id) for tool in tools), default=0) + 2
    says = {True: "changes something", False: "only reads", None: "may change something"}
    lines = [
        f"{tool.id:{width}}{says[tool.side_effect]:22}{' '.join(tool.description.split())[:100]}"
        for tool in tools
    ]
    call.face.say("\n".join(lines) if lines else "This Portia has no tools.")
    return [tool.id for tool in tools]


async def use(call: Call) -> Any:
    """Use the Portia of a variable from here on, and return it."""
    portia = call.face.use(str(call.options.word))
    from portia_nb.drawing.text import counted

    tools = counted(len(portia.tools), "tool")
    call.face.say(f"%%portia uses {call.options.word} from here on, with {tools}.")
    return portia


async def doctor(call: Call) -> Any:
    """Tell what works here, and return the report."""
    from portia_nb.notebook.doctor import examine, try_asking

    tried = await try_asking(call) if call.options.is_on("ask") else ()
    report = await examine(call.face, tried)
    call.face.show_bundle(report.bundle())
    return report


async def why(call: Call) -> None:
    """Show the traceback behind the latest error, or why a run stands as it does."""
    if call.options.word is None and call.face.has_error:
        call.face.say(call.face.why())
        return
    found = map_named(call.face, call.options.word)
    run_id = run_named(call.face, call.options.word) if found is None else found
    call.face.say(call.face.readable(await call.face.portia().awhy(run_id)))
