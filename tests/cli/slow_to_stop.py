"""A program whose run is slow to stop, attended as `portia-nb` does it."""

import asyncio
import sys

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.cli import outcome
from portia_nb.cli.asking import Asking
from portia_nb.cli.attending import Relay, attend
from portia_nb.cli.terminal import Terminal
from portia_nb.session.answering import DeclaredAnswers


async def linger() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(60)


def main() -> int:
    terminal = Terminal()
    relay = Relay(terminal.width)
    asking = Asking(terminal, DeclaredAnswers(), yes=False, hand_on=relay.hand_on)
    plan = PlanBuilderV2("slow").function_step(function=linger, step_name="linger").build()
    live = Portia(Config(), tools=[]).start_run(plan, asker=asking, listeners=(relay.listen,))
    if attend(terminal, live, relay, asking):
        return 0
    return outcome.leave(terminal, live.id, [], is_kept=True)


if __name__ == "__main__":
    sys.exit(main())
