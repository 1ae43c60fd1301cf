"""What a command and its options are, as they are declared; loads nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    flags: tuple[str, ...]
    help: str
    value: str | None = None
    """What stands for its value in the help, and says what completes it; None: it takes none."""
    choices: tuple[str, ...] = ()
    """All values that it may have; (): any."""
    many: bool = False
    """True: it may be given more than once."""

    @property
    def field(self) -> str:
        """Name under which `Options.values` holds it."""
        return self.flags[-1].lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Command:
    """``%%portia`` itself, or a subcommand of ``%portia``."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    word: str | None = None
    """What stands for its argument in the help, and says what completes it; None: it takes none."""
    needs_word: bool = False
    second: str | None = None
    """What stands for a further argument, which may be left out."""
    takes_all: bool = False
    """True: its argument may be several words, up to the end of the line."""
    also: tuple[str, ...] = ()
    """Other names of the same."""
    twin: str = ""
    """Method of `Portia` that does the same for Python; ``""``: the one of this name."""
    no_twin: str = ""
    """Why there is none, and what does it instead."""
    does: str = ""
    """Module of this room and function that do it, as in ``"commands.running:resume"``."""

    @property
    def call(self) -> str:
        """What is typed to call it."""
        return self.name if self.name.startswith("%") else f"%portia {self.name}"

    @property
    def usage(self) -> str:
        """How it is called, on one line."""
        word = (
            "" if self.word is None else f" {self.word}" if self.needs_word else f" [{self.word}]"
        )
        word += f" [{self.second}]" if self.second else ""
        options = " [options]" if self.options else ""
        return f"{self.call}{word}{options}" + ("\ngoal" if self.name == "%%portia" else "")
