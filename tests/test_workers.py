"""However long each test takes: all run, once; files stay whole; what must be alone is alone."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.workers import FilesThenAlone


class Worker:
    """A worker as pytest-xdist's are: it runs a test once it knows the next one, or the end."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.queue: list[int] = []
        self.shutting_down = False
        self.ran: list[str] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_go_on(self) -> bool:
        return self.shutting_down or len(self.queue) > 1


def config_for(workers: int) -> Any:
    options = {"tx": ["popen"] * workers}
    return SimpleNamespace(
        getvalue=options.__getitem__, option=SimpleNamespace(loadscopereorder=True)
    )


def run(tests: list[str], workers: int, seed: int, *, crash: str = "") -> list[Worker]:
    """Play a whole session in which tests take random times; return the workers.

    The test `crash` ends its worker, which is replaced, as pytest-xdist does.
    """
    chance, shares = random.Random(seed), FilesThenAlone(config_for(workers))
    alive = [Worker(f"gw{n}") for n in range(workers)]
    everyone = list(alive)

    def ready(worker: Worker) -> None:
        shares.add_node(worker)  # type: ignore[arg-type]
        shares.add_node_collection(worker, tests)  # type: ignore[arg-type]
        if shares.collection_is_completed:
            shares.schedule()

    for worker in everyone:
        ready(worker)
    while alive:
        if shares.tests_finished:
            for worker in alive:
                worker.shutdown()
        worker = chance.choice([each for each in alive if each.can_go_on])
        if not worker.queue:
            alive.remove(worker)
            if worker in shares.nodes:
                assert shares.remove_node(worker) is None  # type: ignore[arg-type]
            continue
        index = worker.queue.pop(0)
        if tests[index] == crash:
            crash = ""
            alive.remove(worker)
            assert shares.remove_node(worker) == tests[index]  # type: ignore[arg-type]
            alive.append(Worker(f"gw{len(everyone)}"))
            everyone.append(alive[-1])
            ready(alive[-1])
            continue
        if tests[index].endswith("@alone"):
            assert alive == [worker]
        worker.ran.append(tests[index])
        shares.mark_test_complete(worker, index)  # type: ignore[arg-type]
    return everyone


def several_files(seed: int) -> list[str]:
    chance = random.Random(seed)
    folders = ("tests/browser", "tests/kernel", "tests/cli", "tests/model", "portia_nb/model")
    files = [f"{folder}/test_{n}.py" for folder in folders for n in range(chance.randint(0, 4))]
    tests = [f"{file}::test_{n}[a@b]" for file in files for n in range(chance.randint(1, 9))]
    lone = chance.sample(tests, chance.randint(0, len(tests) // 3))
    return [f"{test}@alone" if test in lone else test for test in tests]


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_each_test_runs_once_and_the_files_stay_whole(workers: int):
    for seed in range(100):
        tests = several_files(seed)
        if not tests:
            continue
        who = run(tests, workers, seed)
        assert sorted(test for worker in who for test in worker.ran) == sorted(tests)
        shared = [{t.split("::")[0] for t in w.ran if not t.endswith("@alone")} for w in who]
        assert sum(map(len, shared)) == len(set().union(*shared))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_worker_that_crashes_is_replaced_and_everything_else_runs(workers: int):
    for seed in range(100):
        tests = several_files(seed)
        if not tests:
            continue
        who = run(tests, workers, seed, crash=random.Random(seed).choice(tests))
        assert {test for worker in who for test in worker.ran} == set(tests)


def test_the_first_worker_takes_the_slow_files_and_the_other_the_quick_ones():
    folders = ("model", "browser", "cli", "kernel", "session", "tools/mcp")
    tests = [f"tests/{folder}/test_it.py::test_{n}" for folder in folders for n in range(10)]
    slow, quick = run(tests, 2, seed=1)
    assert slow.ran[0].startswith("tests/browser")
    assert slow.ran[10].startswith("tests/kernel")
    assert not any(test.startswith(("tests/browser", "tests/kernel")) for test in quick.ran)
