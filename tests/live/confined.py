"""`python -m tests.live.confined UNIT COMMAND...`: runs a command under the system call filter of a systemd unit,
without writable and executable memory and with no new privileges. It needs no running systemd."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM   # seccomp(2): SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
NO_NEW_PRIVS, MDWE, REFUSE_EXEC_GAIN = 38, 65, 1       # prctl(2)


def groups() -> dict[str, set[str]]:
    """The system call sets of systemd.exec(5) (`@system-service` and others) by name: each holds calls and sets."""
    shown = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True,
                           check=True).stdout
    found: dict[str, set[str]] = {}
    name = ""
    for line in shown.splitlines():
        if line.startswith("@"):
            name = line.strip()
            found[name] = set()
        elif name and line.startswith(" ") and not line.strip().startswith("#"):
            found[name].add(line.strip())
    return found


def allowed(unit: Path) -> set[str]:
    """The system calls that the unit's SystemCallFilter= lines, applied in order, allow."""
    known = groups()

    def calls(name: str) -> set[str]:
        return set().union(*map(calls, known[name])) if name.startswith("@") else {name}

    left = calls("@default")
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), flags=re.MULTILINE):
        named = set().union(*map(calls, line.removeprefix("~").split()))
        left = left - named if line.startswith("~") else left | named
    return left


def confine(calls: set[str]) -> None:
    """From here on this process and the programs that it executes may make only these calls."""
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"), use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    rules = library.seccomp_init(ctypes.c_uint32(REFUSE))
    for call in calls:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            library.seccomp_rule_add_array(rules, ALLOW, number, 0, None)
    kernel = ctypes.CDLL(None)
    kernel.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    kernel.prctl(MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)   # fails on kernels before 6.3, which lack it
    if library.seccomp_load(rules):
        raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    confine(allowed(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
