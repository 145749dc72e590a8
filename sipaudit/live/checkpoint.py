"""The state of a probe on disk, so that it can go on after the process, or the machine, was stopped or killed.

The whole state is one pickle, because it is one graph in which object identity
matters: an event is the same object wherever it is stored.  A forked copy of the
process writes it, so that capturing never waits for the disk.  Parts of the
program and the site file (rules, declarations, the probe itself) are not stored
but referred to by name.  Only our own values are read back: a checkpoint is read
only if nobody else can have written it and its digest shows that no bit has
changed, and it may name no classes but those of this program and a few of
Python's.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from sipaudit.live import privileges
from sipaudit.live.claim import check_that_it_may_be_replaced, claimed
from sipaudit.live.digested import Digested, whole
from sipaudit.live.journal import Journal
from sipaudit.live.probe import Probe
from sipaudit.live.program import program
from sipaudit.live.synced import sync_names
from sipaudit.live.teller import Teller
from sipaudit.model.sayings import Saying
from sipaudit.rulebook.rules import Rule
from sipaudit.settings.declaring import Declarations

EVERY = 60.0        # seconds between two checkpoints
PATIENCE = 600.0    # seconds that writing one may take
AT_END = 10.0       # seconds for the one written before the process ends, and as many for one still being written then
_BROKE = 255        # exit code of the copy when it fails without an errno
_BEGINS = pickle.PROTO + bytes([pickle.HIGHEST_PROTOCOL])
_PROBE, _DECLARED, _RULE = "probe", "declared", "rule"
_OTHERS = frozenset(f"{module}.{name}" for module, names in {
    "builtins": ("set", "frozenset", "getattr", "list", "dict", "tuple", "int", "object"),
    "collections": ("Counter", "deque", "defaultdict", "OrderedDict"),
    "ipaddress": ("IPv4Network", "IPv6Network", "IPv4Address", "IPv6Address"), "re": ("_compile",),
    "functools": ("partial",), "itertools": ("count",), "copyreg": ("_reconstructor",),
    "array": ("array", "_array_reconstructor"),
}.items() for name in names)


class Kept(Struct):
    """The contents of a checkpoint. `version` is that of the program that wrote it, `identity` that of the run, within
    which ids are unique. `sources` are the names of the sources, in the order of the capture numbers, and `positions`
    how far each was read. `time` is how far the run had come (seconds since the epoch), `blind` the seconds in which a
    source could not see, `begun` whether there was any packet."""

    version: str
    identity: str
    sources: list[str]
    time: float
    blind: float
    probe: dict[str, Any]
    teller: Teller
    positions: list[Any]
    begun: bool


class UnusableError(Exception):
    """Says why a run cannot go on from a checkpoint."""


class Checkpoint:
    """The file at `path`, with the journal beside it. `log` takes reports of problems. Raises InputError where the file
    cannot be made, is something else, or belongs to another running process."""

    def __init__(self, path: str, log: Callable[[str], None]) -> None:
        self.path = Path(path)
        check_that_it_may_be_replaced(self.path, _BEGINS)
        self.journal = Journal(self.path, log)
        self._lock = claimed(self.path)
        self._process = os.getpid()
        self._program = program()   # computed at the start: a checkout may be updated while it runs
        self.said: list[Saying] = []    # sayings since the checkpoint that was read
        self.before: list[Saying] = []  # sayings between the checkpoint before that one and it
        self._log = log
        self._child: int | None = None
        self._is_given_up = False   # whether that child was killed
        self._due = 0.0

    def turn(self, clock: float, probe: Probe, teller: Teller, identity: str) -> None:
        """Begin a checkpoint every EVERY seconds; `clock` is the monotonic time, in seconds."""
        is_over = self._is_over(0.0)
        if self._child is not None and clock >= self._due + (PATIENCE - EVERY):
            self._give_up(self._child)
        if is_over and clock >= self._due:
            self._due = clock + EVERY
            self._begin(probe, teller, identity)

    def _begin(self, probe: Probe, teller: Teller, identity: str) -> None:
        try:
            self.journal.turned()
            self._child, self._is_given_up = os.fork(), False
        except OSError as error:   # a full disk, or no room for another process: the last checkpoint stays valid
            self._fails(error.strerror)
            return
        if not self._child:
            self._write_and_end(probe, teller, identity)

    def _give_up(self, child: int) -> None:
        """Kill the copy that writes. It ends only when the disk lets go of it."""
        if not self._is_given_up:
            self._is_given_up = True
            self._log(f"a checkpoint takes longer than {PATIENCE:.0f} s and is given up: does the disk hang?")
            os.kill(child, signal.SIGKILL)

    def _write_and_end(self, probe: Probe, teller: Teller, identity: str) -> None:
        """Run in the forked copy, which must do nothing else: it exits with 0, the errno, or _BROKE."""
        code = _BROKE
        try:
            privileges.end_with_parent(self._process)
            privileges.die_first()   # writing takes more memory than the probe, which must outlive it
            self._write(probe, teller, identity)
            code = 0
        except OSError as error:
            code = error.errno or _BROKE
        finally:
            os._exit(code)

    def write(self, probe: Probe, teller: Teller, identity: str) -> None:
        """Write a checkpoint before the process ends; if the disk does not take it soon, the last one stays valid."""
        if self._is_over(AT_END):
            self._begin(probe, teller, identity)
        if not self._is_over(AT_END):
            self._fails("the disk does not answer")

    def _is_over(self, seconds: float) -> bool:
        """Whether no copy is writing, after waiting at most so many seconds for it to end."""
        end = time.monotonic() + seconds
        while self._child is not None:
            child, status = os.waitpid(self._child, os.WNOHANG)
            if child:
                self._ended(os.waitstatus_to_exitcode(status))
            elif time.monotonic() < end:
                time.sleep(0.01)
            else:
                return False
        return True

    def _ended(self, code: int) -> None:
        self._child = None
        if code:
            self._fails(_ended_for(code))
        else:
            self.journal.cut()

    def close(self) -> None:
        """Release the lock: from now on another process may use the file."""
        os.close(self._lock)

    def _fails(self, why: str | None) -> None:
        self._log(f"the checkpoint {self.path} cannot be written: {why}")

    def _write(self, probe: Probe, teller: Teller, identity: str) -> None:
        kept = Kept(self._program, identity, [one.path for one in probe.health], probe.newest, probe.blind,
                    probe.state(), teller, [source.position() for source in probe.sources], probe.begun)
        beside = self.path.with_name(self.path.name + ".new")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                digested = Digested(file)
                _Writer(digested, probe).dump(kept)
                digested.end()
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            beside.unlink(missing_ok=True)   # on a full disk it takes room that others need
            raise
        beside.replace(self.path)
        sync_names(self.path.parent)

    def read(self, probe: Probe) -> Kept | None:
        """The checkpoint for a probe with the same sources, brought up to date with the journal (`said`, `before`);
        None, with an empty journal, if the run cannot go on from it."""
        try:
            kept = self._read(probe)
            self.said, self.before = list(self.journal.read()), list(self.journal.read_before())
            for saying in self.said:
                kept.teller.said_before(saying)
        except FileNotFoundError:
            kept = None
        except UnusableError as error:
            self._log(f"starting anew: the checkpoint {self.path} {error}")
            kept = None
        except Exception as error:
            self._log(f"starting anew: the checkpoint {self.path} is damaged ({type(error).__name__})")
            kept = None
        if kept is None:
            self.said, self.before = [], []
            self.journal.clear()
        return kept

    def _read(self, probe: Probe) -> Kept:
        with self.path.open("rb") as file:
            _check_that_it_is_ours(os.fstat(file.fileno()))
            written = whole(file.read())
        if written is None:
            raise UnusableError("is damaged, or of another version of sipaudit")
        kept = _Reader(io.BytesIO(written), probe).load()
        if not isinstance(kept, Kept) or kept.version != self._program:
            raise UnusableError("is of another version of sipaudit")
        if kept.sources != [one.path for one in probe.health]:
            raise UnusableError(f"is of other sources: {', '.join(kept.sources)}")
        return kept


def _check_that_it_is_ours(status: os.stat_result) -> None:
    """Raises UnusableError where another user may have written the file."""
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        raise UnusableError(f"may have been written by somebody else: it belongs to user {status.st_uid}, and this "
                            f"runs as {os.geteuid()}")
    if mode & 0o022:
        raise UnusableError(f"may have been written by somebody else: its mode is {mode:04o}, and it must be writable "
                            "for its owner alone (chmod go-w)")


def _ended_for(code: int) -> str:
    """Why the copy could not write, by its exit code: a signal, a system error, or a bug of ours."""
    if code < 0:
        return f"what writes it was ended ({signal.strsignal(-code)})"
    return "an error of the program itself" if code == _BROKE else os.strerror(code)


class _Writer(pickle.Pickler):
    def __init__(self, file: Any, probe: Probe) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._probe = probe

    def persistent_id(self, value: Any) -> Any:
        if value is self._probe:
            return _PROBE
        if isinstance(value, Declarations):
            return _DECLARED
        return (_RULE, value.id) if isinstance(value, Rule) else None


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, probe: Probe) -> None:
        super().__init__(file)
        self._probe = probe
        self._rules = {rule.id: rule for rule in probe.brief.pack.rules}

    def persistent_load(self, name: Any) -> Any:
        if name == _PROBE:
            return self._probe
        if name == _DECLARED:
            return self._probe.brief.declared
        if name[1] not in self._rules:
            raise UnusableError(f"speaks of the rule {name[1]}, which is not in force any more")
        return self._rules[name[1]]

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] != "sipaudit" and f"{module}.{name}" not in _OTHERS:
            raise UnusableError(f"holds {module}.{name}, which is not ours")
        return super().find_class(module, name)
