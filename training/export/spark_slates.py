"""Write the parts of an export on Spark, each by the function that writes it on one machine.

An executor maps the artifact, the store's snapshot and the recipients from storage that all
machines share, and writes the files of its parts there. A part that is written is not made again,
neither by a task that Spark repeats nor by an export that goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from models.artifact.array_tree import build, flatten
from models.artifact.atomic import durable_rename
from training.errors import InputError
from training.export.current_model import CurrentModel
from training.export.recipients import Recipients
from training.export.resume import Parts, Tally
from training.export.slates import (
    ExportPart,
    SlateExport,
    count_parts,
    join_parts,
    load_current_model,
    part_of,
    size_of_part,
    write_part,
)
from training.parallel import work_on_one_thread
from training.progress import Advance

MOST_TASKS: Final = 10_000  # of a job, for each of which Spark's driver keeps its books
PROGRESS_SECONDS: Final = 2.0
PYTHON_ERROR: Final = re.compile(r"[\w.]*Error: ")
JAVA_ERROR: Final = ": "  # which begins the line after one of py4j's
LONGEST_CAUSE: Final = 500  # characters of an error that a user reads


@dataclass(frozen=True)
class _Work:
    """Hold what an executor is sent: paths on shared storage, and the numbers of parts."""

    export: SlateExport
    parts: Parts
    about: bytes  # a hash of what this export is: its parts are for no other one
    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Opened:
    """Hold what a process of an executor has mapped."""

    about: bytes
    current: CurrentModel
    recipients: Recipients


_opened: list[_Opened] = []  # of this process of an executor: the one of the newest export


def export_on_spark(
    spark: Any, export: SlateExport, recipients: Recipients, parts: Parts, on_progress: Advance
) -> Tally:
    """Write a slate for each recipient as `export_slates` does, by executors of a SparkSession.

    Registry and folder of the output must have the same path on all machines. Raises InputError
    where an executor fails.
    """
    export, parts = _absolute(export, parts)
    _save_recipients(recipients, parts)
    tallies = parts.finished()
    unfinished = [number for number in range(count_parts(recipients)) if number not in tallies]
    if unfinished:
        work = _Work(export, parts, _digest(parts), tuple(unfinished))
        with ThreadPoolExecutor(1) as thread:
            job = thread.submit(_run, spark, work)
            try:
                _follow(job, recipients, parts, unfinished, on_progress)
            except BaseException:
                spark.stop()  # or the thread would wait for its job
                raise
            _check(job)
    return join_parts(export, parts, parts.finished())


def _run(spark: Any, work: _Work) -> None:
    """Have all parts of a work written. A task is a run of parts."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _write_parts(work, batches)

    count = len(work.numbers)
    indices = spark.range(0, count, 1, min(count, MOST_TASKS))
    indices.mapInArrow(write, "number long").collect()


def _write_parts(work: _Work, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write parts in a process of an executor, and yield their numbers."""
    for batch in batches:
        numbers = [work.numbers[index] for index in batch.column(0).to_pylist()]
        for number in numbers:
            if not work.parts.is_finished_elsewhere(number):
                _write_one(work, number)
        yield pa.record_batch([pa.array(numbers, pa.int64())], ["number"])


def _write_one(work: _Work, number: int) -> None:
    opened = _open(work)
    part = ExportPart(work.parts.path(number), part_of(opened.recipients, number))
    suffix = work.parts.output.suffix
    tally = work_on_one_thread(
        lambda current, part: write_part(work.export, suffix, current, part), opened.current, part
    )
    # An executor that was cut off from its driver may meet the folder of the next export.
    if _digest(work.parts) != work.about:
        raise InputError(f"{work.parts.folder} belongs to another export now")
    work.parts.finish_elsewhere(number, tally)


def _open(work: _Work) -> _Opened:
    if _digest(work.parts) != work.about:
        raise InputError(f"{work.parts.folder} belongs to another export now")
    if not _opened or _opened[0].about != work.about:
        current = load_current_model(work.export, work.parts.snapshot)
        _opened[:] = [_Opened(work.about, current, _load_recipients(work.parts.recipients))]
    return _opened[0]


def _digest(parts: Parts) -> bytes:
    try:
        return hashlib.sha256(parts.read_about()).digest()
    except FileNotFoundError:
        raise InputError(
            f"{parts.folder} is not on the machine {os.uname().nodename}: the registry and the "
            "folder of --output must have the same path on every machine that works for Spark"
        ) from None


def _follow(
    job: Future[None],
    recipients: Recipients,
    parts: Parts,
    unfinished: Sequence[int],
    on_progress: Advance,
) -> None:
    """Tell progress until a job ends."""
    total = sum(size_of_part(recipients, number) for number in unfinished)
    wanted = set(unfinished)
    while wait([job], timeout=PROGRESS_SECONDS).not_done:
        written = wanted.intersection(parts.finished_elsewhere())
        on_progress(sum(size_of_part(recipients, number) for number in written), total)


def _check(job: Future[None]) -> None:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        job.result()
    except (PySparkException, Py4JError) as error:
        raise InputError(f"--engine spark: {_cause(str(error))}") from error


def _cause(text: str) -> str:
    """Return the line of a long error of Spark that says what was raised: Python's, or Java's."""
    lines = [line.strip() for line in text.splitlines()]
    python = [line for line in lines if PYTHON_ERROR.match(line)]
    java = [line.removeprefix(JAVA_ERROR) for line in lines if line.startswith(JAVA_ERROR)]
    causes = [*python[-1:], *java[:1], *lines[:1]]
    return causes[0][:LONGEST_CAUSE]


def _absolute(export: SlateExport, parts: Parts) -> tuple[SlateExport, Parts]:
    """Return them with paths that mean the same on another machine."""
    wording = export.options.wording
    options = replace(export.options, wording=wording.absolute() if wording else None)
    return (
        replace(
            export,
            directory=export.directory.absolute(),
            registry=export.registry.absolute(),
            options=options,
        ),
        replace(parts, output=parts.output.absolute(), folder=parts.folder.absolute()),
    )


def _save_recipients(recipients: Recipients, parts: Parts) -> None:
    """Write them where every executor maps them, unless they are there."""
    if parts.recipients.exists():
        return
    beside = parts.recipients.with_suffix(".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    for name, array in flatten(recipients):
        np.save(beside / f"{name}.npy", array)
    durable_rename(beside, parts.recipients)


def _load_recipients(folder: Path) -> Recipients:
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    return build(Recipients, {name: np.asarray(array) for name, array in arrays.items()})
