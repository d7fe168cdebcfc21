"""Change the code at seeded places and list the changes that no test notices.

    python -m benchmarks.mutations --seed 1 --count 200 [--package models|service|training]

Each change is made alone, in a temporary copy of the working tree. The tests nearest to it run
first and stop at the first failure: the test file of the changed file, those that import it, those
of its room, then all others (`--stages` ends sooner). Changes that cannot be noticed are listed
with their reason in `benchmarks/equivalent_mutations.toml`, and not made.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("models", "service", "training")
EQUIVALENT: Final = Path("benchmarks/equivalent_mutations.toml")
STAGES: Final = 4
TOO_LONG: Final = "too long"
SAME_CHARACTERS: Final = 40  # shown of what is the same before and after a change
# Tests that read the code or the documents and run neither
NOT_RUN: Final = ("test_architecture.py", "test_container.py", "test_documentation.py")
NOT_RUN_FOLDER: Final = "benchmarks"
WORDS: Final = {"description", "examples", "help", "json_schema_extra", "summary", "title"}

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
    found = []
    for number, node in enumerate(_changeable(ast.parse(source))):
        for variant, (kind, replacement) in enumerate(_changes_of(node)):
            before, after = _without_the_same(_in_words(node), _in_words(replacement))
            line = getattr(node, "lineno", 0)
            found.append(Mutation(path, line, kind, before, after, number, variant))
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
    for index in range(len(node.args) - 1):
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
    """Draw changes, of each kind alike as long as there are any."""
    lots, by_kind = random.Random(seed), dict[str, list[Mutation]]()
    for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
        relative = path.relative_to(root).as_posix()
        if "/migrations/" not in relative:
            for mutation in mutations_of(relative, path.read_text("utf-8")):
                by_kind.setdefault(mutation.kind, []).append(mutation)
    for mutations in by_kind.values():
        lots.shuffle(mutations)
    known, drawn = equivalent(root), list[Mutation]()
    while len(drawn) < count and any(by_kind.values()):
        for kind in sorted(by_kind):
            if by_kind[kind]:
                mutation = by_kind[kind].pop()
                if (mutation.path, mutation.before, mutation.after) not in known:
                    drawn.append(mutation)
    return drawn[:count]


def equivalent(root: Path) -> set[tuple[str, str, str]]:
    """Return path, code before and code after of the changes that nobody can notice."""
    file = root / EQUIVALENT
    rows = tomllib.loads(file.read_text("utf-8"))["equivalent"] if file.exists() else []
    return {(row["path"], row["before"], row["after"]) for row in rows}


class Tests:
    """The test files of a tree, and which of them are near to a file of the code."""

    def __init__(self, root: Path) -> None:
        self._imports = {}
        for path in sorted((root / "tests").rglob("test_*.py")):
            relative = path.relative_to(root)
            if path.name not in NOT_RUN and relative.parts[1] != NOT_RUN_FOLDER:
                self._imports[relative.as_posix()] = _imported(ast.parse(path.read_text("utf-8")))

    def stages(self, path: str) -> list[list[str]]:
        """Return all test files in groups, the nearest to a file of the code first."""
        file = Path(path)
        module = path.removesuffix(".py").replace("/", ".")
        mirrored = f"tests/{file.parent}/test_{file.name}"
        importing = [test for test, names in self._imports.items() if module in names]
        room = [test for test in self._imports if test.startswith(f"tests/{file.parent}/")]
        everything = list(self._imports)
        stages, taken = list[list[str]](), set[str]()
        for stage in ([mirrored], importing, room, everything):
            stages.append([test for test in stage if test in self._imports and test not in taken])
            taken |= set(stage)
        return stages


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
    """How the tests took a change: a test failed, they took too long, or it survived (None)."""

    mutation: Mutation
    noticed_by: str | None

    @property
    def outcome(self) -> str:
        named = {None: "SURVIVED", TOO_LONG: "too long"}
        return named.get(self.noticed_by, "noticed")

    def __str__(self) -> str:
        by = f"  ({self.noticed_by})" if self.outcome == "noticed" else ""
        return f"{self.outcome:8} {self.mutation}{by}"


class Copy:
    """A copy of the working tree, in which one change after another is made."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder
        self._changes = 0
        for name in _files_of(root):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)

    def judge(self, mutation: Mutation, stages: list[list[str]], limit_seconds: float) -> Verdict:
        """Run the tests on a change, until one of them notices it."""
        file = self.root / mutation.path
        original = file.read_text("utf-8")
        self._write(file, mutation.apply(original))
        try:
            for tests in filter(None, stages):
                noticed_by = run_tests(self.root, tests, limit_seconds)
                if noticed_by is not None:
                    return Verdict(mutation, noticed_by)
        finally:
            self._write(file, original)
        return Verdict(mutation, None)

    def _write(self, file: Path, source: str) -> None:
        file.write_text(source, "utf-8")
        # Compiled code is kept by time in whole seconds and size: no two changes share a time.
        self._changes += 1
        os.utime(file, (self._changes, self._changes))


def _files_of(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def run_tests(root: Path, tests: Sequence[str], limit_seconds: float) -> str | None:
    """Return the first test that fails, TOO_LONG, or None where all pass in time."""
    options = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return TOO_LONG
    if process.returncode == 0:
        return None
    failures = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failures[0].split(" - ")[0] if failures else f"exit {process.returncode}"


def _end(process: subprocess.Popen[str]) -> None:
    """End tests and the servers they started: by Ctrl-C, then by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            process.communicate(timeout=15)
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
    parser.add_argument("--limit-seconds", type=float, default=600, help="for each stage")
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
