"""Runs a command and writes what it used, as JSON: CPU seconds, and MiB of memory at the peak.

    python usage.py FILE COMMAND...

A process of its own, since a child's peak counts from the memory of the process that starts it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

file, *command = sys.argv[1:]
child = subprocess.Popen(command)
_pid, status, used = os.wait4(child.pid, 0)
Path(file).write_text(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(os.waitstatus_to_exitcode(status))
