"""B1: what `%load_ext portia_nb` adds to a running kernel."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

from .row import Row

KERNELS = 5
_CODE = """
import sys, time, json
_modules, _cpu = set(sys.modules), time.process_time()
get_ipython().run_line_magic("load_ext", "portia_nb")
_cpu = time.process_time() - _cpu
print(json.dumps({"cpu_ms": _cpu * 1000, "modules": len(set(sys.modules) - _modules)}))
"""


def load_ext() -> Iterator[Row]:
    """Measure in fresh kernels; the figure is the median."""
    found = [_in_a_kernel() for _ in range(KERNELS)]
    cpu = [each["cpu_ms"] for each in found]
    yield Row(
        "B1",
        "%load_ext in a running kernel",
        statistics.median(cpu),
        40,
        "ms CPU",
        f"minimum {min(cpu):.3g}, {KERNELS} kernels",
    )
    modules = max(each["modules"] for each in found)
    yield Row("B1", "modules that it loads", modules, 80, "modules")


def _in_a_kernel() -> dict[str, float]:
    # In a process of its own: the client keeps sockets and threads of each kernel for a while.
    program = (
        "from jupyter_client.manager import start_new_kernel\n"
        f"manager, client = start_new_kernel()\ncode = {_CODE!r}\n"
        "def show(m):\n"
        "    if m['msg_type'] == 'stream': print(m['content']['text'], end='')\n"
        "client.execute_interactive('1', timeout=60, output_hook=lambda m: None)\n"
        "client.execute_interactive(code, timeout=60, output_hook=show)\n"
        "client.stop_channels(); manager.shutdown_kernel(now=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])
