"""Which compiled module is loaded, and what is said when there is none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import optlab
from optlab.kernels import isa, select

PACKAGE = Path(optlab.__file__).parent
SHOW = "from optlab.kernels.select import cpu; print(cpu.isa)"


def test_the_best_one_is_loaded(python: Any) -> None:
    assert python(SHOW).stdout.strip() == select.available()[0]


@pytest.mark.parametrize("name", select.available())
def test_each_one_can_be_forced(name: str, python: Any) -> None:
    done = python(SHOW, OPTLAB_ISA=name)
    assert done.stdout.strip() == name, done.stderr


@pytest.mark.parametrize("wrong", ("v9", "avx2", "V3", "v3 "))
def test_a_wrong_name_is_one_clear_line(wrong: str, python: Any) -> None:
    done = python("import optlab", OPTLAB_ISA=wrong)
    expected = (
        f"ImportError: OPTLAB_ISA: got {wrong!r}, expected one of {', '.join(select.available())} on this machine"
    )
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == expected


def test_an_empty_name_forces_nothing(python: Any) -> None:
    assert python(SHOW, OPTLAB_ISA="").stdout.strip() == select.available()[0]


# The copy must win over any installed optlab, editable ones with their own finders included.
COPY = """
import importlib.machinery, sys
standard = (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, importlib.machinery.PathFinder)
sys.meta_path[:] = [finder for finder in sys.meta_path if finder in standard]
sys.path.insert(0, {folder!r})
"""


def from_copy(folder: Path, *keep: str) -> str:
    """Copies the package with only the named compiled modules; code that makes it the one imported."""
    unwanted = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(PACKAGE, folder / "optlab", ignore=unwanted)
    for name in keep:
        (folder / "optlab" / "kernels" / f"_cpu_{name}.so").write_bytes(b"")
    return COPY.format(folder=str(folder))


def test_a_missing_extension_is_one_clear_line(tmp_path: Path, python: Any) -> None:
    done = python(f"{from_copy(tmp_path)}\nimport optlab")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("ImportError: optlab: the compiled kernels are missing.")
    assert "`python -m pip install -e .`" in last


def test_an_extension_for_another_machine_is_one_clear_line(tmp_path: Path, python: Any) -> None:
    prelude = from_copy(tmp_path, "v4")
    cripple = "from optlab.kernels import isa; isa.runnable = lambda: ('v2',)"
    tree = f"{prelude}\nimport sys, types, importlib\n"
    # optlab/__init__ imports the kernels at once, so the folder alone stands in for the package here
    tree += f"package = types.ModuleType('optlab'); package.__path__ = [{str(tmp_path / 'optlab')!r}]\n"
    done = python(f"{tree}sys.modules['optlab'] = package\n{cripple}\nimport optlab.kernels.select")
    expected = "ImportError: optlab: built for v4, but this machine runs v2"
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == expected


def test_levels_are_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = set().union(*isa._LEVELS.values())
    monkeypatch.setattr(isa.platform, "machine", lambda: "x86_64")
    for have, expected in (
        (flags, ("v4", "v3", "v2")),
        (flags - {"avx512vl"}, ("v3", "v2")),
        (flags - {"fma"}, ("v2",)),  # v4's flags do not help without v3's
        (set(), ()),
    ):
        monkeypatch.setattr(isa, "_flags", lambda have=have: have)
        assert isa.runnable() == expected
    monkeypatch.setattr(isa.platform, "machine", lambda: "aarch64")
    assert isa.runnable() == ("base",)


def test_a_record_says_what_computed() -> None:
    info = select.info()
    assert info["isa"] in info["available"] and info["version"] == optlab.__version__
    assert info["bits_version"] == optlab.bits_version >= 1 and info["threads"] >= 1
    assert "-ffp-contract=off" in info["flags"] and "-ffast-math" not in info["flags"]
    assert len(info["digest"]) == 64 and int(info["digest"], 16)


def test_every_built_module_has_the_same_face() -> None:
    import importlib

    faces = {name: dir(importlib.import_module(f"optlab.kernels._cpu_{name}")) for name in select.available()}
    assert all(face == faces[select.available()[0]] for face in faces.values())
