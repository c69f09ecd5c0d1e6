"""The number of threads: where it is asked for, where it ends, and that nothing hangs."""

from __future__ import annotations

import itertools
import sys
import threading
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

import optlab as ol
from optlab.kernels.select import cpu

threads_module: Any = sys.modules["optlab.threads"]  # optlab.threads itself is the context manager


def test_threads_hold_inside_the_block_only() -> None:
    before = cpu.threads()
    with ol.threads(3):
        assert cpu.threads() == 3
        with ol.threads(1):
            assert cpu.threads() == 1
        assert cpu.threads() == 3
    assert cpu.threads() == before


def test_an_error_leaves_the_block_too() -> None:
    before = cpu.threads()
    with pytest.raises(ZeroDivisionError), ol.threads(before + 1):
        raise ZeroDivisionError
    assert cpu.threads() == before


def test_other_python_threads_are_not_concerned() -> None:
    before, seen = cpu.threads(), []
    with ol.threads(before + 3):
        other = threading.Thread(target=lambda: seen.append(cpu.threads()))
        other.start()
        other.join()
    assert seen == [before]


def test_the_default_of_the_process() -> None:
    before = threads_module.current()
    try:
        threads_module.set_default(7)
        assert cpu.threads() == 7
    finally:
        threads_module.set_default(before)


def test_the_default_is_the_number_of_usable_cores(python: Any) -> None:
    code = (
        "import os, optlab; from optlab.kernels.select import cpu; print(cpu.threads(), len(os.sched_getaffinity(0)))"
    )
    count, cores = python(f"import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n{code}").stdout.split()
    assert count == cores == "1"


@pytest.mark.parametrize("wrong", (0, -1, 4097, 1.5, True, "2", None))
def test_wrong_numbers_are_refused(wrong: Any) -> None:
    for ask in (lambda: ol.threads(wrong).__enter__(), lambda: threads_module.set_default(wrong)):
        with pytest.raises((TypeError, ValueError), match=r"^threads: got .*expected a whole number"):
            ask()


def test_more_threads_than_parts() -> None:
    f, x0 = ol.landscapes.Rastrigin(3), np.ones((2, 3))
    with ol.threads(64):
        crowd = ol.descend(f, ol.SGD(lr=1e-3), x0, 10, noise=1e-3)
    assert_same_bits(crowd.last, ol.descend(f, ol.SGD(lr=1e-3), x0, 10, noise=1e-3, threads=1).last)


def test_many_callers_share_the_pool() -> None:
    expected = [ol.random.normal((300, 301), seed) for seed in range(6)]
    results: dict[int, Any] = {}

    def work(seed: int) -> None:
        with ol.threads(3):
            for _ in range(20):
                results[seed] = ol.random.normal((300, 301), seed)

    callers = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for seed, array in enumerate(expected):
        assert_same_bits(results[seed], array)


FORKS = """
import os, warnings
import numpy as np, optlab as ol
warnings.simplefilter("ignore", DeprecationWarning)  # newer interpreters warn of every fork
def draw():
    with ol.threads(3):
        return ol.random.normal((300, 301), 0).tobytes()
expected = draw()
def child_of(depth):
    if (child := os.fork()):
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(draw() != expected or (depth and child_of(depth - 1)))
print(child_of(2), draw() == expected)
"""


def test_children_and_grandchildren_get_fresh_pools(python: Any) -> None:
    assert python(FORKS, timeout=20).stdout.split() == ["0", "True"]


EXIT = """
import threading, time, optlab as ol
def work():
    while True:
        with ol.threads(2):
            ol.random.normal((300, 301), 0)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
"""


def test_the_interpreter_may_end_while_kernels_run(python: Any) -> None:
    done = python(EXIT, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_kernels_let_other_python_threads_run() -> None:
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.wait(1e-3):
            ticks.append(1)

    other = threading.Thread(target=tick)
    other.start()
    f, told = ol.landscapes.StrictSaddle(2), lambda fraction, text="": ticks.append(0)
    ol.descend(f, ol.SGD(lr=1e-6), np.ones((1, 2)), 10**6, noise=1e-9, threads=1, progress=told)
    done.set()
    other.join()
    # the study stays away from Python for some 0.1 s at a time; meanwhile the other thread had more than one turn
    assert (1, 1) in itertools.pairwise(ticks)
