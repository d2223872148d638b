"""Runs cases in worker processes, so that a runtime that aborts costs one case."""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.conformance.cases import Case
from tests.conformance.judge import Outcome, judge

TIMEOUT_S = 120.0


def run(cases: Sequence[Case], backend: str, jobs: int) -> Iterator[Outcome]:
    """Yields the outcome of each case, in the order in which they finish."""
    context = multiprocessing.get_context("spawn")
    pending: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        pending.put(case)
    workers = [_Worker(context, backend) for _ in range(jobs)]
    busy = {w for w in workers if w.give(pending)}
    while busy:
        wait([w.pipe for w in busy], timeout=1.0)
        for worker in list(busy):
            outcome = worker.poll()
            if outcome is None:
                continue
            yield outcome
            if not worker.give(pending):
                busy.discard(worker)
    for worker in workers:
        worker.stop()


class _Worker:
    def __init__(self, context: Any, backend: str) -> None:
        self.context, self.backend = context, backend
        self.start()

    def start(self) -> None:
        self.pipe, child = self.context.Pipe()
        self.process = self.context.Process(target=_serve, args=(child, self.backend), daemon=True)
        self.process.start()
        child.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def give(self, pending: queue.SimpleQueue[Case]) -> bool:
        if pending.empty():
            return False
        case = pending.get()
        self.case, self.since = case.name, time.monotonic()
        self.pipe.send_bytes(pickle.dumps(case))
        return True

    def poll(self) -> Outcome | None:
        try:
            if self.pipe.poll():
                outcome: Outcome = self.pipe.recv()
                return outcome
            if self.process.is_alive() and time.monotonic() - self.since < TIMEOUT_S:
                return None
            detail = "no answer in time" if self.process.is_alive() else "the process died"
        except EOFError:
            self.process.join(5)
            detail = f"the process died (exit {self.process.exitcode})"
        self.stop()
        self.start()
        return Outcome(self.case, "", "crash", detail=detail, seconds=time.monotonic() - self.since)


def _serve(pipe: Connection, backend: str) -> None:
    while True:
        case: Case = pickle.loads(pipe.recv_bytes())  # our own parent's
        start = time.perf_counter()
        try:
            outcome = judge(case, backend)
        except Exception as error:  # noqa: BLE001 - any traceback counts as a crash and is shown
            outcome = Outcome(case.name, "", "crash", detail=f"{type(error).__name__}: {error}"[:200])
        seconds = time.perf_counter() - start
        pipe.send(Outcome(case.name, outcome.op, outcome.status, outcome.code, outcome.detail, seconds))
