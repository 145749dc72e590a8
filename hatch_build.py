"""Compiles the modules that each message passes through, of which pyproject.toml has the list.

Hatchling calls it (`pip install .`, also `-e`); `python hatch_build.py` does it again for what has changed. Cython
makes C of the sources as they are: there are no others. Of that C the calls that ask for attributes and methods are
replaced by inline caches (sipaudit/compiled.h). Without a C compiler the sources are left to the interpreter.
"""

from __future__ import annotations

import os
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from shutil import move
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
from sipaudit.compiled import FOLDER, PURE, SUFFIX, is_of, source_of  # noqa: E402

DIRECTIVES = {
    "annotation_typing": False,   # else it refuses subclasses, a Counter for a dict
    "language_level": 3,
}
CACHES = ROOT / "sipaudit" / "compiled.h"
CACHED = {                        # what Cython 3.3 writes, and what takes its place
    "= __Pyx_PyObject_GetAttrStr(": "= GET_ATTRIBUTE(",
    "if (__Pyx_PyObject_SetAttrStr(": "if (SET_ATTRIBUTE(",
    "= __Pyx_PyObject_FastCallMethod(": "= CALL_METHOD(",
}
COMPILE = [
    "-O2", "-g0", "-w", f"-include{CACHES}",
    "-fno-asynchronous-unwind-tables",    # nothing in it throws, and without `-g` no debugger knows its frames anyway
    *(f"-fno-align-{what}" for what in ("functions", "loops", "jumps", "labels")),   # as fast, and a twentieth smaller
]
LINK = ["-s", "-Wl,-z,noseparate-code"]   # code and constants share pages: 4 to 8 kB less of each module


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling looks for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; what is compiled goes into a wheel, and an editable installation finds it where it is."""
        if self.target_name != "wheel" or os.environ.get(PURE):
            return
        files = compile_all(listed())
        if not files or version == "editable":
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"] |= {str(file): f"sipaudit/{FOLDER.name}/{file.name}" for file in files}


def listed() -> list[str]:
    """The modules that are to be compiled, named in full."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [f"sipaudit.{module}" for module in project["tool"]["hatch"]["build"]["hooks"]["custom"]["modules"]]


def compile_all(modules: list[str]) -> list[Path]:
    """What is compiled of these modules; those that are not up to date are made first, and others are removed."""
    wanted = {name: FOLDER / f"{name}{SUFFIX}" for name in modules}
    _clear(set(wanted.values()))
    old = {name: file for name, file in wanted.items() if not is_of(file, name)}
    if old:
        _compile(old)
    return [file for file in wanted.values() if file.exists()]


def _clear(wanted: set[Path]) -> None:
    """Removes what was compiled of other modules; all of it, if that was done in another way than now."""
    FOLDER.mkdir(exist_ok=True)
    note, way = FOLDER / "way", sha256(Path(__file__).read_bytes() + CACHES.read_bytes()).hexdigest()
    same = note.exists() and note.read_text() == way
    for file in FOLDER.glob("*.so"):
        if not same or (file.name.endswith(SUFFIX) and file not in wanted):
            file.unlink()
    note.write_text(way)


def _compile(files: dict[str, Path]) -> None:
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext
    from setuptools.errors import CompileError, LinkError

    times = {name: source_of(name).stat().st_mtime_ns for name in files}
    with TemporaryDirectory() as place:
        extensions = [Extension(name, [str(source_of(name).relative_to(ROOT))], extra_compile_args=COMPILE,
                                extra_link_args=LINK) for name in files]
        in_c = cythonize(extensions, build_dir=place, compiler_directives=DIRECTIVES, quiet=True)
        for extension in in_c:
            _put_caches(Path(extension.sources[0]))
        command = build_ext(Distribution({"ext_modules": in_c}))
        command.build_lib, command.build_temp = f"{place}/lib", place
        command.parallel = len(os.sched_getaffinity(0))
        command.ensure_finalized()
        try:
            command.run()
        except (CompileError, LinkError) as error:
            print(f"not compiled: {error}", file=sys.stderr)
            return
        for name, file in files.items():
            move(command.get_ext_fullpath(name), file)
            os.utime(file, ns=(times[name], times[name]))


def _put_caches(source: Path) -> None:
    before = text = source.read_text()
    for asked, remembered in CACHED.items():
        text = text.replace(asked, remembered)
    if text == before:
        print(f"{source.name}: slower than it could be, for this Cython asks for attributes otherwise", file=sys.stderr)
    source.write_text(text)


if __name__ == "__main__":
    os.chdir(ROOT)
    print(f"{len(compile_all(listed()))} modules are compiled")
