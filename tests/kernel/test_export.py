"""``%portia export`` in a real kernel: a preview first, then a page, a document, a script."""

import json

from tests.kernel.conftest import Kernel

KEY = "sk-planted-7Hq2Wn9Zx4Vb0Cm1"


def test_N28_a_run_is_previewed_and_then_written_without_its_secret(kernel: Kernel):
    kernel.run(
        f"def login(token): return 'in with ' + token\n"
        f"entering = PlanBuilderV2('Log in').function_step("
        f"function=login, args={{'token': {KEY!r}}}, step_name='login').build()"
    ).raise_for_error()
    kernel.run("%portia run entering -o entered").raise_for_error()
    done = kernel.run("seen = %portia export entered run.html --preview").raise_for_error()
    (shown,) = done.displays
    assert set(shown) == {"text/html", "text/plain"}
    assert "Nothing is written yet" in shown["text/plain"]
    assert "login" in shown["text/plain"]
    assert KEY not in json.dumps(shown)
    assert not (kernel.folder / "run.html").exists()
    assert kernel.evaluate("[seen.is_written, len(seen.redacted) > 0]") == [False, True]
    kernel.run("%portia export entered run.html -o written").raise_for_error()
    assert kernel.evaluate("[written.is_written, str(written.path)]") == [True, "run.html"]
    page = (kernel.folder / "run.html").read_text()
    assert "Log in" in page
    assert "in with ***" in page
    assert KEY not in page
    # Again is the same bytes; something else isn't overwritten unasked.
    kernel.run("%portia export entered run.html").raise_for_error()
    kernel.run("%portia run going -o other").raise_for_error()
    refused = kernel.run("%portia export other run.html")
    assert refused.status == "error"
    assert "run.html is there already, with something else in it" in refused.card
    kernel.run("%portia export other run.html --force").raise_for_error()
    assert "a trial" in (kernel.folder / "run.html").read_text()


def test_N28_N29_a_file_is_what_its_name_says(kernel: Kernel):
    kernel.run("%portia run going -o latest").raise_for_error()
    kernel.run("%portia export latest run.json --without-values --force").raise_for_error()
    document = json.loads((kernel.folder / "run.json").read_text())
    assert document["run"]["id"] == kernel.evaluate("latest.id")
    kernel.run("%portia export going plan.py --force").raise_for_error()
    assert "PlanBuilderV2" in (kernel.folder / "plan.py").read_text()
    kernel.run("%portia export latest -o page").raise_for_error()
    assert kernel.evaluate("str(page.path) == latest.id + '.html'")
    for line, says in (
        ("export latest run.doc", "the file's name says what a run becomes"),
        ("export latest test_run.py", "no record is named"),
        ("export nobody", "'nobody' is no run"),
    ):
        done = kernel.run(f"%portia {line}")
        assert done.status == "error"
        assert says in done.card


def test_without_a_run_the_latest_is_exported_and_where_there_is_none_it_says_so(start_kernel):
    kernel: Kernel = start_kernel()
    kernel.run("%load_ext portia_nb").raise_for_error()
    kernel.run("from portia_nb import *\nportia = Portia(Config(store='memory'), tools=[])")
    none = kernel.run("%portia export")
    assert none.ename == "PlanRunNotFoundError"
    assert none.evalue.startswith("there is no run yet: a %%portia cell makes one")
    kernel.run("plan = PlanBuilderV2('Say 42').function_step(function=lambda: 42).build()")
    kernel.run("%portia run plan -o first\n%portia run plan -o second").raise_for_error()
    latest = kernel.evaluate("str(second.id)")
    kernel.run("%portia export").raise_for_error()
    assert (kernel.folder / f"{latest}.html").is_file()
    kernel.run("%portia export run.json").raise_for_error()
    assert latest in (kernel.folder / "run.json").read_text("utf-8")
