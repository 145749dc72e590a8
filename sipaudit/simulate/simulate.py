"""`simulate`: makes a capture, its site file and its truth from a plan file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sipaudit.capture.write import PcapWriter
from sipaudit.errors import InputError
from sipaudit.simulate.plan.read import read_plan
from sipaudit.simulate.plan.values import Plan
from sipaudit.simulate.play import Play
from sipaudit.simulate.site import site_text
from sipaudit.simulate.truth import Truth
from sipaudit.simulate.wire.sink import Sink


def simulate(plan_path: str, capture: str) -> list[Path]:
    """Write CAPTURE and, beside it, the site file, the truth and, if the plan's tap has the TLS keys, the key log;
    returns their paths.

    Each file appears only when it is complete. Raises InputError or InputErrors for a plan that cannot be played and
    for a place that cannot be written.
    """
    target = Path(capture)
    _check_place(target)
    plan = read_plan(plan_path)
    base = target.with_suffix("") if target.suffix in (".pcap", ".cap") else target
    site, truth = Path(f"{base}.site.yaml"), Path(f"{base}.truth.json")
    keylog = [Path(f"{base}.keylog")] if plan.tap.keys else []
    paths = [target, site, truth, *keylog]
    if Path(plan_path).resolve() in (path.resolve() for path in paths):
        raise InputError("is the plan, and would be replaced", fix="name another file with -o", file=plan_path)
    _check_what_is_there(truth, (target, site, *keylog))
    try:
        with _aside(paths) as aside:
            known = write(plan, aside[target], *(aside[path] for path in keylog))
            aside[site].write_text(site_text(plan), encoding="utf-8")
            aside[truth].write_bytes(known.document())
    except (FileNotFoundError, PermissionError) as error:  # /proc claims to be writable, but creates no files
        raise _unwritable(target) from error
    return paths


@contextmanager
def _aside(paths: Iterable[Path]) -> Iterator[dict[Path, Path]]:
    """Temporary paths for these files; at the end, if there was no error, they replace the final ones."""
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in paths}
    try:
        yield aside
        for path, unfinished in aside.items():
            unfinished.replace(path)
    finally:
        for unfinished in aside.values():
            unfinished.unlink(missing_ok=True)


def _check_place(target: Path) -> None:
    """Raise InputError for a file that cannot be created."""
    folder = target.parent
    if str(target) == "-":
        raise InputError("-o needs a file, for several are written", fix="name a file: OUT.pcap", file="-")
    if target.is_dir():
        raise InputError("is a directory, -o needs a file", fix="name a file: OUT.pcap", file=str(target))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(target)


def _check_what_is_there(truth: Path, others: Iterable[Path]) -> None:
    """Raise InputError rather than replace what simulate has not written: a device, a link, a pipe, or a file without
    the truth file that simulate writes beside it."""
    for path in (truth, *others):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError("is no file, and would be replaced", fix="name another file with -o", file=str(path))
        if path.exists() and not truth.exists():
            raise InputError(f"would be replaced, and simulate has not written it: {truth} is not beside it",
                             fix="name another file with -o, or remove it", file=str(path))


def _unwritable(target: Path) -> InputError:
    return InputError("cannot be written", fix="name a file in a folder that exists and that this user may write",
                      file=str(target))


def write(plan: Plan, path: Path, keylog: Path | None = None) -> Truth:
    """Write the capture of a plan, and the key log of its TLS connections; returns its truth."""
    with path.open("wb", buffering=1 << 20) as stream, ExitStack() as stack:
        keys = None if keylog is None else stack.enter_context(keylog.open("w")).write
        sink = Sink(PcapWriter(stream), plan.start)
        return Play(plan, sink, keys).run()
