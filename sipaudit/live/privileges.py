"""Dropping privileges: once the ports are open, only the right to open them again is needed (capabilities(7))."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from sipaudit.errors import InputError

CAP_NET_RAW = 13
_PDEATHSIG, _KEEPCAPS, _NO_NEW_PRIVS, _CAPBSET_DROP = 1, 8, 38, 24   # prctl(2)
_VERSION_3 = 0x20080522                               # capset(2): two words of 32 each
_LAST_CAP = 63


def can_capture() -> bool:
    """Whether this process may open a port."""
    return bool(_permitted() >> CAP_NET_RAW & 1)


def how_to_be_allowed() -> str:
    """A hint for the user: how to let `sipaudit live` open a port."""
    return (f"run it as root, or once: setcap cap_net_raw+ep {os.path.realpath(sys.executable)}; under systemd: "
            "AmbientCapabilities=CAP_NET_RAW")


def drop(user: str | None) -> None:
    """Become `user`, if one is named, and keep only CAP_NET_RAW; executed programs cannot gain more (no_new_privs).

    Raises InputError for a user that does not exist, that this process may not become, or that may not read the
    modules that are needed later.
    """
    keeps = 1 << CAP_NET_RAW & _permitted()
    if user is not None:
        _become(user)
    _capset(keeps)
    _prctl(_NO_NEW_PRIVS, 1)


def end_with_parent(parent: int) -> None:
    """Have this forked copy killed when the process `parent` ends, however it ends."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:   # the parent has already ended
        os.kill(os.getpid(), signal.SIGKILL)


def die_first() -> None:
    """Have this process killed before others when machine or service run out of memory (proc(5), oom_score_adj)."""
    with suppress(OSError):   # a process that has dropped its privileges may not be allowed to
        Path("/proc/self/oom_score_adj").write_text("1000")


def _become(user: str) -> None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise InputError(f"--user {user!r} is not a user of this machine", fix="name one that `getent passwd` lists"
                         ) from None
    if os.geteuid() == entry.pw_uid:
        return
    groups = [one.gr_gid for one in grp.getgrall() if entry.pw_name in one.gr_mem]
    try:
        for capability in range(_LAST_CAP + 1):
            if capability != CAP_NET_RAW:
                _prctl(_CAPBSET_DROP, capability)
        _prctl(_KEEPCAPS, 1)
        os.setgroups([entry.pw_gid, *groups])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except PermissionError as error:
        raise InputError(f"--user {user!r}: only root can become another user", fix="leave out --user") from error
    _check_what_is_loaded_later(user)


def _check_what_is_loaded_later(user: str) -> None:
    """Python's library, ours and third-party modules must still be readable: other users may not read a home directory.
    Raises InputError."""
    for path in (os.__file__, __file__, msgspec.__file__):
        if path is not None and not os.access(path, os.R_OK):
            raise InputError(f"--user {user!r} may not read {path}, which sipaudit needs",
                             fix="install it where that user may read it, as /opt (docs/service.md)")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    """Call prctl(2). Errors are ignored: what cannot be dropped was not held, or is unknown to this kernel."""
    _libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _permitted() -> int:
    """The permitted capabilities, as bits."""
    header, data = _header(), ctypes.create_string_buffer(24)
    if _libc().capget(header, data):
        return 0
    words = struct.unpack("6I", data.raw)
    return int(words[1] | words[4] << 32)


def _capset(keeps: int) -> None:
    low, high = keeps & 0xFFFFFFFF, keeps >> 32
    data = struct.pack("6I", low, low, 0, high, high, 0)
    if _libc().capset(_header(), data):
        raise OSError(ctypes.get_errno(), "capabilities could not be dropped")


def _header() -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(struct.pack("Ii", _VERSION_3, 0), 8)
