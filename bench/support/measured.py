"""Run a command and say what it took: CPU seconds and the largest resident memory, as JSON.

    python -S measured.py OUTPUT COMMAND...

A process's largest resident memory counts that of the process which made it: so a small one does.
"""

import json
import os
import sys

output, *command = sys.argv[1:]
child = os.fork()
if child == 0:
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.execvp(command[0], command)
_, status, used = os.wait4(child, 0)
print(
    json.dumps(
        {
            "status": os.waitstatus_to_exitcode(status),
            "cpu_s": used.ru_utime + used.ru_stime,
            "memory_mib": used.ru_maxrss / 1024,
        }
    )
)
