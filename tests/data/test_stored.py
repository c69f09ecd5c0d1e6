"""Real data: the embedded digits, and the cache of fetched images with everything that can go wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optlab as ol
from optlab.data import cache as store
from optlab.data import openml, scikit
from optlab.errors import MissingDataError, MissingPackageError, OptlabError
from optlab.files import cache_folder

SMALL = openml.Source("mnist", 554, 4, (2, 1, 3))
PIXELS, LABELS = np.arange(24, dtype=np.uint8).reshape(6, 4) * 10, np.array([0, 2, 2, 1, 0, 2], np.uint8)


class Remote:
    """Stands for OpenML: counts the calls, and answers or raises."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.calls = answer, 0

    def fetch_openml(self, **asked: Any) -> Any:
        assert asked["data_id"] == 554 and asked["as_frame"] is False and asked["cache"] is False
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Remote]:
    """A function that puts a remote in OpenML's place, and a small set in that of MNIST."""
    monkeypatch.setattr(openml, "MNIST", SMALL)

    def stand_in(answer: Any) -> Remote:
        found = Remote(answer)
        monkeypatch.setattr(scikit, "datasets", lambda what: found)
        return found

    return stand_in


def answer() -> tuple[np.ndarray, np.ndarray]:
    """As scikit-learn hands it over: numbers as float64, labels as text."""
    return PIXELS.astype(np.float64), LABELS.astype(str).astype(object)


def check(data: ol.data.Data) -> None:
    np.testing.assert_array_equal(data.X, PIXELS.astype(np.float32) / 255, strict=True)
    assert data.X.flags.c_contiguous
    assert data.y.dtype == np.int64 and (data.y == LABELS).all() and data.classes == 3


def test_digits() -> None:
    pytest.importorskip("sklearn")
    X, y = data = ol.data.digits()
    assert X.shape == (1797, 64) and X.dtype == np.float32 and X.flags.c_contiguous and data.classes == 10
    assert X.min() == 0 and X.max() == 1 and not np.any(X * 16 % 1)
    assert y.dtype == np.int64 and np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for load in (ol.data.digits, ol.data.mnist):
        with pytest.raises(MissingPackageError, match=r"`pip install optlab\[experiments\]`") as caught:
            load()
        assert isinstance(caught.value, ImportError) and isinstance(caught.value, OptlabError)
        assert "\n" not in str(caught.value)
    assert str(cache / "mnist.npz") in str(caught.value)


def test_what_a_whole_copy_holds() -> None:
    assert sum(openml.MNIST.counts) == 70_000 and openml.MNIST.features == 28 * 28
    assert sum(openml.CIFAR10.counts) == 60_000 and openml.CIFAR10.features == 3 * 32 * 32


def test_fetched_once(remote: Callable[[Any], Remote], cache: Path) -> None:
    there = remote(answer())
    for _ in range(3):
        check(ol.data.mnist())
    assert there.calls == 1 and [path.name for path in cache.iterdir()] == ["mnist.npz"]


def test_a_copied_file_needs_neither_network_nor_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, remote: Callable[[Any], Remote], cache: Path
) -> None:
    remote(answer())
    ol.data.mnist()
    monkeypatch.setattr(scikit, "datasets", lambda what: pytest.fail("looked for scikit-learn"))
    check(ol.data.mnist())


NO_NETWORK = (
    OSError("Name or service not known"),
    TimeoutError("timed out"),
    ValueError("half of\nan answer"),
    MemoryError(),
)


@pytest.mark.parametrize("error", NO_NETWORK, ids=lambda error: type(error).__name__)
def test_no_network(error: Exception, remote: Callable[[Any], Remote], cache: Path) -> None:
    remote(error)
    with pytest.raises(MissingDataError, match=r"^mnist: there is no ") as caught:
        ol.data.mnist()
    said = str(caught.value)
    assert str(cache / "mnist.npz") in said and "OPTLAB_CACHE" in said and type(error).__name__ in said
    assert "\n" not in said and not cache.exists()


INCOMPLETE = {
    "rows": (PIXELS[:5], LABELS[:5]),
    "columns": (PIXELS[:, :3], LABELS),
    "labels": (PIXELS, LABELS[::-1] * 0),
    "lengths": (PIXELS, LABELS[:5]),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_an_incomplete_answer_is_refused(name: str, remote: Callable[[Any], Remote], cache: Path) -> None:
    remote(INCOMPLETE[name])
    with pytest.raises(MissingDataError, match="expected"):
        ol.data.mnist()
    assert not cache.exists()


@pytest.mark.parametrize("place", ("fetch", "write", "sync", "replace"))
def test_an_interruption_leaves_nothing(
    place: str, monkeypatch: pytest.MonkeyPatch, remote: Callable[[Any], Remote], cache: Path
) -> None:
    """Ctrl-C at any point: no file that a later call takes for whole, nothing left behind, and the next call works."""
    there = remote(KeyboardInterrupt() if place == "fetch" else answer())

    def interrupted(target: Any, *args: Any, **kwargs: Any) -> None:
        if place == "write":
            target.write(b"PK half of a file")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if place == "write":
            patch.setattr(np, "savez_compressed", interrupted)
        elif place in ("sync", "replace"):
            patch.setattr(f"os.{'fsync' if place == 'sync' else place}", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ol.data.mnist()
    assert not cache.exists() or list(cache.iterdir()) == []
    there.answer = answer()
    check(ol.data.mnist())


def damaged() -> dict[str, bytes]:
    whole = Path(cache_folder() / "mnist.npz").read_bytes()
    middle = len(whole) // 3
    return {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "text": b"<html>please log in</html>",
        "flipped": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
    }


@pytest.mark.parametrize("name", ("empty", "half", "text", "flipped", "pickled", "numbers", "incomplete", "folder"))
def test_a_damaged_file_is_fetched_anew_or_refused(name: str, remote: Callable[[Any], Remote], cache: Path) -> None:
    there = remote(answer())
    ol.data.mnist()
    path = cache / "mnist.npz"
    if name in damaged():
        path.write_bytes(damaged()[name])
    elif name == "pickled":
        np.savez(path, X=np.array([object()]), y=LABELS, sha256="")
    elif name == "numbers":
        np.savez(path, X=PIXELS + 1, y=LABELS, sha256=store.digest(PIXELS, LABELS))
    elif name == "incomplete":
        store.save(path, PIXELS[:5], LABELS[:5])
    else:
        path.unlink()
        path.mkdir()
    bad = path.read_bytes() if path.is_file() else b""
    there.answer = OSError("no network")
    with pytest.raises(MissingDataError, match=r"mnist: .* cannot be used, ") as caught:
        ol.data.mnist()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    if name != "folder":
        assert path.read_bytes() == bad
        there.answer = answer()
        check(ol.data.mnist())
        there.answer = OSError("no network")
        check(ol.data.mnist())


def test_where_files_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("OPTLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "optlab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "optlab"


def test_importing_and_drawing_load_no_scikit_learn(python: Any) -> None:
    done = python(
        "import sys, optlab as ol; ol.data.spirals(9); print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
