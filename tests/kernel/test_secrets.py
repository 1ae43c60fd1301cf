"""N26, S8: whole stories with planted keys in a real kernel, and then a search of all they left.

A key of the settings or of the environment is found nowhere, however it is written. What a person
hands to a tool or writes into a prompt is their data: the run keeps it, but nothing that is made to
be handed on holds it.
"""

import json
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.environment import public_environment
from tests.kernel.conftest import ROOT
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import failing
from tests.stories.test_logs_and_secrets import places_of

OF_ENVIRONMENT = "sk-canary-env-4fQ9/xL+7z="
OF_SERVICE = "vault/3pV-kM8+wq2ZtR"
OF_CONFIG = "tvly-canary-cfg-8pW2vNc6Rk"
HANDED = "sk-handed-8Yt2LmQ0aZ7bKd"
PROMPTED = "ghp_prompted4Hq8Wn2Zx6Vb0Cm1Lk3Jd5Gf"
OURS = (OF_ENVIRONMENT, OF_SERVICE, OF_CONFIG)
THEIRS = (HANDED, PROMPTED)

SETTING = """
%load_ext portia_nb
import base64, json, os
from pathlib import Path
from urllib.parse import quote
from portia_nb import Config, PlanBuilderV2, Portia, StepOutput, ToolHardError, tool
given = json.loads(Path(os.environ["GIVEN"]).read_text())
ours = [os.environ["OPENAI_API_KEY"], os.environ["VAULT_TOKEN"], given["config"]];

@tool(side_effect=False)
def call(header: str) -> str:
    "Fail as careless clients do: with the whole request in the message."
    try:
        raise ConnectionError(f"GET /v1?key={quote(ours[1], safe='')} with {ours}")
    except ConnectionError as error:
        basic = [base64.b64encode(f"ada:{each}".encode()).decode() for each in ours]
        text = f"request failed: {json.dumps(ours)}, Basic {basic}: {error}"
        raise ToolHardError(text) from error

@tool(side_effect=False)
def look(token: str, city: str) -> dict:
    "Look up a city, with a token of one's own."
    return {"city": city, "authorization": token}

def shout():
    print("nothing secret", flush=True)
    raise KeyError(*ours)

def plan_of(name):
    return PlanBuilderV2(name)

calling = plan_of("Call").invoke_tool_step(tool=call(), args={"header": "x"}).build()
shouting = plan_of("Shout").function_step(function=shout, retries=1, side_effect=False).build()
speaking = plan_of("Speak").llm_step(task="Speak.").build()
handing = (
    plan_of("Look with " + given["prompted"])
    .invoke_tool_step(
        tool=look(), args={"token": given["handed"], "city": "Rome"}, step_name="seen"
    )
    .llm_step(task="Use " + given["prompted"], inputs=[StepOutput("seen")], step_name="said")
    .build()
)
portia = Portia(
    Config.from_default(
        store=".portia", tavily_api_key=given["config"], default_log_level="DEBUG",
        default_log_sink="portia.log", record="tape.json",
    ),
    tools=[call(), look()],
)
"""
CELLS = [
    "%portia config --all",
    "%portia doctor",
    "print(portia, portia.config, portia.config.model_dump_json()); portia.config",
    "%portia run calling",
    "%portia why",
    "portia.runs()",
    "%portia run shouting",
    "%portia why",
    "%portia show",
    "%portia run speaking",
    "%portia why",
    "%%portia\nLook at Rome",
    "%portia why",
    "portia.run('Look at Rome')",
    # Shows the values of variables, too.
    "%xmode Verbose\nportia.plan('Look at Rome')",
    "spoken = await portia.arun_plan(speaking)\nprint(spoken, spoken.error)\nspoken",
    "%portia run handing -o handed",
    "assert handed.state == 'COMPLETE'\n"
    "for name in ('run.html', 'run.json', 'run.jsonl', 'test_run.py'):\n"
    "    done = portia.export(handed, 'shared/' + name, record='tape.json')\n"
    "    assert done.redacted\n"
    "    display(done)\n"
    "portia.export(handing, 'shared/plan.py')",
    "for row in portia.runs():\n"
    "    portia.export(row.id, f'shared/{row.id}.html')\n"
    "    portia.export(row.id, f'shared/{row.id}.json')",
    "portia.store.close()",
]


class Overhearing(nbclient.NotebookClient):
    """Executes a notebook and keeps every message that a front end would get."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard: list[Any] = []

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        # What is echoed of the cells themselves is the person's, not ours.
        if msg["msg_type"] != "execute_input":
            self.heard.append([msg["msg_type"], msg["content"], msg["metadata"]])
        return super().process_message(msg, cell, cell_index)


def answering(request: Any) -> Any:
    """Refuse, with the key that came in the words of the refusal; speak only of Rome's look."""
    if PROMPTED in str(request.body):
        return "Said."
    header = dict(request.http.headers)["authorization"]
    return failing(401, f"Incorrect API key provided: {header}", code="invalid_api_key")


def test_N26_no_key_is_left_in_what_a_notebook_shows_keeps_and_exports(tmp_path: Path):
    folder, given = tmp_path / "project", tmp_path / "given.json"
    (folder / "shared").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    given.write_text(json.dumps({"config": OF_CONFIG, "handed": HANDED, "prompted": PROMPTED}))
    notebook = new_notebook(cells=[new_code_cell(each) for each in (SETTING, *CELLS)])
    with OpenAIServer(answering) as server:
        client = Overhearing(
            notebook,
            timeout=40,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        done = client.execute(
            env={
                **public_environment(),
                "PYTHONPATH": str(ROOT),
                "OPENAI_API_KEY": OF_ENVIRONMENT,
                "VAULT_TOKEN": OF_SERVICE,
                "PORTIA_BASE_URL": server.url,
                "GIVEN": str(given),
            }
        )
    nbformat.write(done, folder / "story.ipynb")
    errors = [o for c in done.cells for o in c.outputs if o.output_type == "error"]
    shown = json.dumps([cell.outputs for cell in done.cells], ensure_ascii=False)
    # The stories were told, and only without their keys.
    names = [each.ename for each in errors]
    assert names == ["PlanRunFailed"] * 3 + ["ModelKeyRefused"] * 3, shown
    for word in ("ToolHardError: request failed", "KeyError", "was refused", "Traceback"):
        assert word in shown, word
    assert {each[0] for each in client.heard} >= {"comm_open", "comm_msg", "error", "display_data"}
    messages = {"messages": json.dumps(client.heard, default=repr, ensure_ascii=False)}
    kept = {each.name for each in folder.rglob("*")}
    assert kept >= {"portia.log", "tape.json", "journal.sqlite"}, kept
    assert len(list((folder / "shared").iterdir())) >= 10
    found = [place for secret in OURS for place in places_of(secret, folder, messages)]
    assert found == []
    # What a person gave is kept for the run that needs it, and is in nothing to hand on.
    shared = [place for secret in THEIRS for place in places_of(secret, folder / "shared", {})]
    tape = (folder / "tape.json").read_text()
    assert shared == []
    assert not any(secret in tape for secret in THEIRS)
    assert HANDED.encode() in (folder / ".portia" / "journal.sqlite").read_bytes()
