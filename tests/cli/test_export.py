"""`portia-nb export`."""

from __future__ import annotations

import json
from pathlib import Path

from portia_nb import PlanBuilderV2
from tests.cli.conftest import Call
from tests.cli.stories import sums, written

STORE = ("--store", "kept")
KEY = "sk-planted-7Hq2Wn9Zx4Vb0Cm1"


def test_N28_export_previews_writes_and_takes_secrets_out(call: Call):
    entering = PlanBuilderV2(f"Log in with {KEY}").invoke_tool_step(
        tool="calculator_tool", args={"math_question": "6 * 7"}, step_name="sum"
    )
    run = json.loads(call("run-plan", written(entering), "--json", *STORE).stdout)["id"]
    seen = call("export", run, "run.html", "--preview", *STORE)
    assert seen.returncode == 0, seen.stderr
    assert "Nothing is written yet" in seen.stdout
    assert KEY not in seen.stdout
    assert not Path("run.html").exists()
    done = call("export", run, "run.html", "--json", *STORE)
    facts = json.loads(done.stdout)
    page = Path("run.html").read_text()
    assert facts["written"] is True
    assert facts["bytes"] == len(page.encode())
    assert facts["redacted"]
    assert "Log in with ***" in page
    assert KEY not in page + done.stdout
    refused = call("export", run, "run.html", "--with-secrets", *STORE)
    assert refused.returncode != 0
    assert "run.html is there already, with something else in it" in refused.stderr
    assert call("export", run, "run.html", "--with-secrets", "--force", *STORE).returncode == 0
    assert KEY in Path("run.html").read_text()


def test_N28_N29_what_is_exported_is_imported_elsewhere_and_a_plan_becomes_a_script(call: Call):
    told = json.loads(call("run-plan", written(sums()), "--json", *STORE).stdout)
    run, plan = told["id"], told["plan_id"]
    assert call("export", run[:14], "run.json", *STORE).returncode == 0
    assert call("store", "import", "run.json", "--store", "elsewhere").returncode == 0
    shown = call("show", run, "--store", "elsewhere")
    assert "42" in shown.stdout, shown.stderr
    assert call("export", run, "run.jsonl", *STORE).returncode == 0
    assert all(json.loads(line) for line in Path("run.jsonl").read_text().splitlines())
    assert call("export", plan, "plan.py", *STORE).returncode == 0
    assert "calculator_tool" in Path("plan.py").read_text()
    odd = call("export", run, "run.doc", *STORE)
    assert odd.returncode != 0
    assert "the file's name says what a run becomes" in odd.stderr
