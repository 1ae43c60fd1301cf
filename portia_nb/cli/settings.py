"""The settings of `Config` as options, and a command line that repeats those that were given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from portia_nb.config import KEYS, Config
from portia_nb.errors import InvalidConfigError, InvalidOption

HELP: Mapping[str, str] = {
    "default_model": "the language model, as provider/name",
    "llm_provider": "who serves the models, where no model is named",
    "planning_model": "the model that plans, as provider/name",
    "execution_model": "the model that serves steps",
    "introspection_model": "the model that judges conditions",
    "summarizer_model": "the model that writes summaries",
    "base_url": "address of a server that speaks the OpenAI API",
    "azure_openai_endpoint": "address of the Azure OpenAI resource",
    "ollama_base_url": "address of the Ollama server",
    "tavily_base_url": "address of Tavily's API",
    "openweathermap_base_url": "address of the OpenWeatherMap API",
    "store": "folder of the runs, or 'memory'; default: .portia/ beside the project's root",
    "storage_class": "DISK or MEMORY",
    "storage_dir": "the same, for storage class DISK",
    "default_log_level": "TRACE, DEBUG, INFO, WARN, ERROR or CRITICAL; default here: warnings only",
    "default_log_sink": "where the log goes: stderr, stdout or a file",
    "json_log_serialize": "log one JSON object a line",
    "large_output_threshold_tokens": "length from which an output is summarized for models",
    "argument_clarifications_enabled": "ask where an argument would have to be made up",
    "max_parallel_steps": "steps that run beside each other at most",
    "max_model_calls": "model calls under way at once, for each provider",
    "step_timeout_s": "seconds that a step may take",
    "model_timeout_s": "seconds that one request to a model may take",
    "model_retries": "further tries after a model request that is worth repeating",
    "budget": "most that a run may spend on models: '$0.50', '20k tokens', '30 calls', or several",
    "assume_side_effects": "a tool that doesn't say whether it changes something keeps its place",
    "use_similar_plans": "show the planner kept plans of similar queries",
    "cache": "reuse the output of an equal step, where its tool or the step allows that",
    "file_root": "folder that the file tools may not leave; default: this one",
    "record": "keep what models, tools and people answer in this file",
    "replay": "answer from this record: no key, no network, no call",
    "no_ask": "never ask: a question without a declared answer or a default stops the run",
}
"""Each setting that is an option, and its help."""

NO_OPTIONS = frozenset({*KEYS, "answers", "approve", "feature_flags", "live_view", "prices"}) | {
    "execution_agent_type",
    "planning_agent_type",
}
"""Settings that are no options: keys, since every user of a machine sees the commands that run
there; what a command line can't hold; what only notebooks or old code look at; and answers, which
are an option of the commands that run something."""

_SHORTER = {
    "default_model": "--model",
    "default_log_level": "--log-level",
    "default_log_sink": "--log-sink",
}
_METAVARS = {
    "default_model": "PROVIDER/NAME",
    "store": "FOLDER",
    "base_url": "URL",
    "record": "FILE",
    "replay": "FILE",
}


LISTED_BY = "config"
"""The command whose help lists the settings, which would hide any other command's own options."""


def add_settings(parser: argparse.ArgumentParser, *, listed: bool) -> None:
    """Add an option for each setting in `HELP` to `parser`; its help lists them if `listed`."""
    group = parser.add_argument_group(
        "settings",
        "Each is an option of every command that has to do with runs. Defaults are those of the "
        "profile in use, the environment, .env and Config (`portia-nb config` shows them); keys "
        "are set there."
        if listed
        else f"Each is an option too, such as --model, --store and --budget: `portia-nb "
        f"{LISTED_BY} --help` lists them.",
    )
    about = "a profile of ~/.portia/config.toml"
    group.add_argument("--profile", metavar="NAME", help=about if listed else argparse.SUPPRESS)
    for setting, text in HELP.items():
        default = Config.model_fields[setting].default
        names = [option_of(setting)]
        if setting in _SHORTER:
            names.append(f"--{setting.replace('_', '-')}")
        shown = text if listed else argparse.SUPPRESS
        options: dict[str, Any] = {"dest": setting, "help": shown, "default": argparse.SUPPRESS}
        if default is True:
            options["action"] = argparse.BooleanOptionalAction
        elif default is False:
            options |= {"action": "store_const", "const": True}
        else:
            kind = type(default).__name__ if isinstance(default, int | float) else "VALUE"
            options["metavar"] = _METAVARS.get(setting, kind.upper())
        group.add_argument(*names, **options)


def option_of(setting: str) -> str:
    """Return the option for a setting.

    >>> option_of("max_parallel_steps"), option_of("default_model")
    ('--max-parallel-steps', '--model')
    """
    return _SHORTER.get(setting, f"--{setting.replace('_', '-')}")


def config_of(args: argparse.Namespace) -> Config:
    """Return the settings in force: options, then the profile, the environment, and ``.env``.

    Raises:
        InvalidOption: the value of an option can't be used.
        ConfigNotFoundError: there is no profile of the name that was given.
        InvalidConfigError: one of the environment can't.
    """
    given = _given(args)
    for setting, other in (("record", "replay"), ("replay", "record")):
        if setting in given:  # beats what the environment says of the other
            given = {other: None, **given}
    try:
        return Config.in_use(args.profile, **given)
    except InvalidConfigError as error:
        setting = str(error.facts.get("setting"))
        if setting not in given:
            raise
        option = option_of(setting)
        text = str(error).replace(f"setting {setting} has", f"{option} has", 1)
        raise InvalidOption(text, option=option) from error


def again(args: argparse.Namespace) -> list[str]:
    """Return the settings of `args` as options, for a later command about the same run."""
    words = ["--profile", args.profile] if args.profile else []
    for setting, value in _given(args).items():
        option = option_of(setting)
        match value:
            case True:
                words.append(option)
            case False:
                words.append(f"--no-{option.removeprefix('--')}")
            case _:
                words += [option, str(value)]
    if getattr(args, "tools", None):
        words += ["--tools", args.tools]
    return words


def _given(args: argparse.Namespace) -> dict[str, Any]:
    return {setting: getattr(args, setting) for setting in HELP if hasattr(args, setting)}
