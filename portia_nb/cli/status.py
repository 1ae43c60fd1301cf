"""The exit statuses of `portia-nb`."""

from __future__ import annotations

import signal

COMPLETE = 0
FAILED = 1
"""The run failed, or something else did that has a message."""
USAGE = 2
"""The command line can't be understood, or one of its values can't be used."""
WAITING = 3
"""An answer is awaited; the command that gives it was printed."""
INTERRUPTED = 128 + signal.SIGINT
PIPE_CLOSED = 128 + 13
"""Who read the output has left, as a shell reports SIGPIPE."""
