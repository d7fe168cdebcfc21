"""Change the code at seeded places and list the changes that no test notices.

    python -m benchmarks.mutations --seed 1 --count 200 [--package models|service|training]

Each change is made alone, in a temporary copy of the working tree. The tests nearest to it run
first and stop at the first failure: the test file of the changed file and those that import it,
without slow tests and then those alone, the files of its room, then all others (`--stages` ends
sooner). A slow test that fails has to fail twice. Changes that cannot be noticed are listed with
their reason in `benchmarks/equivalent_mutations.toml`, and not made.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("models", "service", "training")
EQUIVALENT: Final = Path("benchmarks/equivalent_mutations.toml")
STAGES: Final = 4
TOO_LONG: Final = "too long"
QUICK: Final = "not slow"  # expressions of pytest
SLOW: Final = "slow"
SAME_CHARACTERS: Final = 40  # shown of what is the same before and after a change
# Tests that read the code or the documents and run neither
NOT_RUN: Final = ("test_architecture.py", "test_container.py", "test_documentation.py")
NOT_RUN_FOLDER: Final = "benchmarks"
WORDS: Final = {
    "description",
    "examples",
    "help",
    "json_schema_extra",
    "metavar",
    "summary",
    "title",
}
SYMMETRIC: Final = {"max", "maximum", "min", "minimum"}  # in their first two arguments

BOUNDS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
OPPOSITES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
EXTREMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutation:
    """One change of one file, in the words of the code."""

    path: str  # from the root
    line: int
    kind: str
    before: str
    after: str
    node: int  # its number among the nodes of the file
    variant: int  # number of the change among those of its node
    statement: str  # that it is in, the innermost

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {self.before}  →  {self.after}"

    def apply(self, source: str) -> str:
        """Return the source of the file with the change."""
        tree = ast.parse(source)
        node = list(_changeable(tree))[self.node]
        _, replacement = list(_changes_of(node))[self.variant]
        changed = _Replace(node, ast.copy_location(replacement, node)).visit(tree)
        return ast.unparse(ast.fix_missing_locations(changed)) + "\n"


def mutations_of(path: str, source: str) -> list[Mutation]:
    """Return every change of a file, in the order of the code."""
    tree, found = ast.parse(source), []
    statements = dict[ast.AST, ast.stmt]()
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt):  # outer ones come first
            statements |= dict.fromkeys(ast.walk(statement), statement)
    for number, node in enumerate(_changeable(tree)):
        for variant, (kind, replacement) in enumerate(_changes_of(node)):
            words = _without_the_same(_in_words(node), _in_words(replacement))
            line, whole = getattr(node, "lineno", 0), _in_words(statements[node])
            found.append(Mutation(path, line, kind, *words, number, variant, whole))
    return found


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, replacement: ast.AST) -> None:
        self._node, self._replacement = node, replacement

    def visit(self, node: ast.AST) -> ast.AST:
        return self._replacement if node is self._node else self.generic_visit(node)


def _changeable(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in which something runs: no types, decorators or words for readers."""
    yield node
    for name, value in ast.iter_fields(node):
        if name == "decorator_list" or (isinstance(node, ast.ClassDef) and name == "keywords"):
            continue
        children = [child for child in _listed(value) if isinstance(child, ast.AST)]
        for child in children:
            if isinstance(child, ast.keyword) and _is_for_readers(node, child):
                continue
            if name in ("annotation", "returns"):
                calls = (part for part in ast.walk(child) if isinstance(part, ast.Call))
                for call in calls:  # the bounds of a setting
                    yield from _changeable(call)
            else:
                yield from _changeable(child)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_for_readers(call: ast.AST, keyword: ast.keyword) -> bool:
    """Tell whether an argument is words, or `strict` of a zip whose lists are of one length."""
    of_zip = isinstance(call, ast.Call) and ast.unparse(call.func) == "zip"
    return keyword.arg in WORDS or (of_zip and keyword.arg == "strict")


def _changes_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the kind of each change of a node, and what stands in its place."""
    match node:
        case ast.Compare():
            yield from _other_comparisons(node)
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and, or", ast.BoolOp(swapped, node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not", node.operand
        case ast.If() if isinstance(node.body[-1], ast.Return | ast.Continue | ast.Break):
            yield "early return", ast.If(ast.Constant(False), node.body, node.orelse)
        case ast.Raise():
            yield "raise removed", ast.Pass()
        case ast.With() | ast.AsyncWith():
            yield from _without_context(node)
        case ast.Call():
            yield from _other_calls(node)
        case ast.Constant(value=bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield "constant", ast.Constant(value + 1)
            yield "constant", ast.Constant(value - 1)


def _other_comparisons(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for kind, others in (("bound", BOUNDS), ("comparison", OPPOSITES)):
        for index, operator in enumerate(node.ops):
            if type(operator) in others:
                changed = copy.copy(node)
                changed.ops = [*node.ops]
                changed.ops[index] = others[type(operator)]()
                yield kind, changed


def _without_context(node: ast.With | ast.AsyncWith) -> Iterator[tuple[str, ast.AST]]:
    """Yield it without each context that has no name: locks, time-outs, suppressed errors."""
    for index, item in enumerate(node.items):
        if item.optional_vars is not None:
            continue
        rest = [*node.items[:index], *node.items[index + 1 :]]
        if rest:
            yield "with removed", type(node)(rest, node.body)
        else:
            yield "with removed", ast.If(ast.Constant(True), node.body, [])


def _other_calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and not _is_for_readers(node, keyword):
            kept = [*node.keywords[:index], *node.keywords[index + 1 :]]
            yield "argument dropped", ast.Call(node.func, node.args, kept)
    is_symmetric = ast.unparse(node.func).rpartition(".")[2] in SYMMETRIC
    for index in range(1 if is_symmetric else 0, len(node.args) - 1):
        pair = node.args[index : index + 2]
        is_plain = not any(isinstance(argument, ast.Starred) for argument in pair)
        if is_plain and ast.dump(pair[0]) != ast.dump(pair[1]):
            swapped = [*node.args]
            swapped[index : index + 2] = reversed(pair)
            yield "arguments swapped", ast.Call(node.func, swapped, node.keywords)
    match node.func:
        case ast.Name(id=name) if name in EXTREMES:
            function: ast.expr = ast.Name(EXTREMES[name])
            yield "extreme", ast.Call(function, node.args, node.keywords)
        case ast.Attribute(attr=name) if name in EXTREMES:
            function = ast.Attribute(node.func.value, EXTREMES[name])
            yield "extreme", ast.Call(function, node.args, node.keywords)


def _in_words(node: ast.AST) -> str:
    match node:
        case ast.If(test=ast.Constant(value=True)):
            return "(none)"
        case ast.If():
            return f"if {ast.unparse(node.test)}: {ast.unparse(node.body[-1]).splitlines()[0]}"
        case ast.With() | ast.AsyncWith():
            return f"with {', '.join(map(ast.unparse, node.items))}"
        case _:
            whole = ast.fix_missing_locations(copy.deepcopy(node))
            return " ".join(ast.unparse(whole).split())


def _without_the_same(before: str, after: str) -> tuple[str, str]:
    """Return two pieces of code without long ends that are the same in both."""
    start = _count_same(before, after)
    end = _count_same(before[start:][::-1], after[start:][::-1])
    first = max(start - SAME_CHARACTERS, 0)
    last = max(end - SAME_CHARACTERS, 0)
    head, tail = "…" if first else "", "…" if last else ""
    return (
        f"{head}{before[first : len(before) - last]}{tail}",
        f"{head}{after[first : len(after) - last]}{tail}",
    )


def _count_same(one: str, other: str) -> int:
    """Return how many characters are the same at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def draw(root: Path, packages: Sequence[str], seed: int, count: int) -> list[Mutation]:
    """Draw changes, of each kind alike as long as there are any.

    The lot of a change depends on its own words: edits elsewhere leave most of the others drawn.
    """
    by_kind = dict[str, list[Mutation]]()
    for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
        relative = path.relative_to(root).as_posix()
        if "/migrations/" not in relative:
            for mutation in mutations_of(relative, path.read_text("utf-8")):
                by_kind.setdefault(mutation.kind, []).append(mutation)
    for mutations in by_kind.values():
        mutations.sort(key=_Lots(seed))
    known, drawn = equivalent(root), list[Mutation]()
    while len(drawn) < count and any(by_kind.values()):
        for kind in sorted(by_kind):
            if by_kind[kind]:
                mutation = by_kind[kind].pop()
                if not any(row.items() <= vars(mutation).items() for row in known):
                    drawn.append(mutation)
    return drawn[:count]


class _Lots:
    """The lots of a seed. Equal changes of one file have different lots."""

    def __init__(self, seed: int) -> None:
        self._seed, self._seen = seed, Counter[str]()

    def __call__(self, mutation: Mutation) -> bytes:
        words = f"{self._seed} {mutation.path} {mutation.kind} {mutation.before} {mutation.after}"
        self._seen[words] += 1
        return hashlib.sha256(f"{words} {self._seen[words]}".encode()).digest()


def equivalent(root: Path) -> list[dict[str, str]]:
    """Return the changes that nobody can notice, by fields of theirs: path, before, after, …"""
    file = root / EQUIVALENT
    rows = tomllib.loads(file.read_text("utf-8"))["equivalent"] if file.exists() else []
    return [{name: row[name] for name in row if name != "reason"} for row in rows]


@dataclass(frozen=True)
class Stage:
    """Test files that run together, and which of their tests."""

    files: Sequence[str]
    marked: str = ""  # QUICK, SLOW or all


class Tests:
    """The test files of a tree, and which of them are near to a file of the code."""

    def __init__(self, root: Path) -> None:
        self._imports = {}
        for path in sorted((root / "tests").rglob("test_*.py")):
            relative = path.relative_to(root)
            if path.name not in NOT_RUN and relative.parts[1] != NOT_RUN_FOLDER:
                self._imports[relative.as_posix()] = _imported(ast.parse(path.read_text("utf-8")))

    def stages(self, path: str) -> list[Stage]:
        """Return all tests in groups, the nearest to a file of the code first."""
        file = Path(path)
        module = path.removesuffix(".py").replace("/", ".")
        mirrored = f"tests/{file.parent}/test_{file.name}"
        importing = [test for test, names in self._imports.items() if module in names]
        room = [test for test in self._imports if test.startswith(f"tests/{file.parent}/")]
        package = [test for test in self._imports if test.startswith(f"tests/{file.parts[0]}/")]
        near = [test for test in dict.fromkeys([mirrored, *importing]) if test in self._imports]
        room = [test for test in room if test not in near]
        others = [*dict.fromkeys([*package, *self._imports])]
        others = [test for test in others if test not in {*near, *room}]
        return [Stage(near, QUICK), Stage(near, SLOW), Stage(room), Stage(others)]


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@dataclass(frozen=True)
class Verdict:
    """How the tests took a change: a test failed or took too long, or it survived (None)."""

    mutation: Mutation
    noticed_by: str | None
    seconds: float

    @property
    def outcome(self) -> str:
        if self.noticed_by is None:
            return "SURVIVED"
        return TOO_LONG if self.noticed_by.startswith(TOO_LONG) else "noticed"

    def __str__(self) -> str:
        by = f"  ({self.noticed_by})" if self.noticed_by else ""
        return f"{self.outcome:8} {self.mutation}{by} {self.seconds:.0f} s"


class Copy:
    """A copy of the working tree, in which one change after another is made."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder
        self._changes = 0
        for name in _files_of(root):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)

    def judge(self, mutation: Mutation, stages: Sequence[Stage], limit_seconds: float) -> Verdict:
        """Run the tests on a change, until one of them notices it."""
        began = time.monotonic()
        file = self.root / mutation.path
        original = file.read_text("utf-8")
        self._write(file, mutation.apply(original))
        try:
            noticed_by = None
            for stage in stages:
                noticed_by = noticed_by or run_stage(self.root, stage, limit_seconds)
        finally:
            self._write(file, original)
        return Verdict(mutation, noticed_by, time.monotonic() - began)

    def _write(self, file: Path, source: str) -> None:
        file.write_text(source, "utf-8")
        # Compiled code is kept by time in whole seconds and size: no two changes share a time.
        self._changes += 1
        os.utime(file, (self._changes, self._changes))


def _files_of(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def run_stage(root: Path, stage: Stage, limit_seconds: float) -> str | None:
    """Return what notices a change: a test that takes too long or fails, twice if it is slow."""
    passed = list[str]()  # at the second time
    while stage.files:
        options = ["-m", stage.marked, *(f"--deselect={test}" for test in passed)]
        noticed_by = run_tests(root, [*options, *stage.files], limit_seconds)
        test = (noticed_by or "").partition(" ")[2]
        if not noticed_by or noticed_by.startswith(TOO_LONG) or stage.marked == QUICK:
            return noticed_by
        if run_tests(root, [test], limit_seconds):
            return noticed_by
        passed.append(test)
    return None


def run_tests(root: Path, arguments: Sequence[str], limit_seconds: float) -> str | None:
    """Return the first test that fails or is the last to begin in time, None where all pass."""
    options = ["-x", "-v", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = _wait(process, output, limit_seconds)
        output.seek(0)
        lines = output.read().splitlines()
    if status is None:
        begun = [line.split(" ")[0] for line in lines if "::" in line]
        return f"{TOO_LONG}: {begun[-1] if begun else 'before the first test'}"
    if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return None
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return failures[0].split(" - ")[0] if failures else f"exit {status}"


def _wait(process: subprocess.Popen[bytes], output: IO[str], limit_seconds: float) -> int | None:
    """Return the status of tests that ended, or end them where none has ended for so long."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        if os.fstat(output.fileno()).st_size > size:
            size, since = os.fstat(output.fileno()).st_size, time.monotonic()
        elif time.monotonic() - since > limit_seconds:
            _end(process)
            return None
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End tests and the servers they started: by Ctrl-C, then by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            continue
        return


def run(
    root: Path, mutations: Sequence[Mutation], *, stages: int, jobs: int, limit_seconds: float
) -> Iterator[Verdict]:
    """Yield how the tests took each change, in their order."""
    tests, copies = Tests(root), SimpleQueue[Copy]()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        for number in range(jobs):
            copies.put(Copy(root, Path(folder) / str(number)))

        def judge(mutation: Mutation) -> Verdict:
            own = copies.get()
            try:
                near = tests.stages(mutation.path)[:stages]
                return own.judge(mutation, near, limit_seconds)
            finally:
                copies.put(own)

        with ThreadPoolExecutor(jobs) as threads:
            yield from threads.map(judge, mutations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--skip", type=int, default=0, help="of the first ones, already judged")
    parser.add_argument("--package", choices=PACKAGES, action="append")
    parser.add_argument("--stages", type=int, default=STAGES, choices=range(1, STAGES + 1))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit-seconds", type=float, default=120, help="in which no test ends")
    options = parser.parse_args()
    packages = options.package or PACKAGES
    mutations = draw(ROOT, packages, options.seed, options.count)[options.skip :]
    verdicts = []
    for verdict in run(
        ROOT,
        mutations,
        stages=options.stages,
        jobs=options.jobs,
        limit_seconds=options.limit_seconds,
    ):
        print(verdict, flush=True)
        verdicts.append(verdict)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    print(f"{len(verdicts)} changes: {dict(outcomes)}")


_AS_WRITTEN: Final = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
