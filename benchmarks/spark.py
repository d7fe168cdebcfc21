"""Time an export on Spark against one without: `python -m benchmarks.spark --folder DIR`.

Writes a synthetic shop and fits a model to it, without a ranker and without measuring it, unless
they are there. Then exports the same recipients with both engines in turn and compares the files.
The numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import filecmp
import resource
import subprocess
import sys
import time
from pathlib import Path

from models.artifact.registry import Registry
from models.recommender import Recommender
from models.settings import ModelSettings
from training.fitting.fit import fit
from training.progress import Reporter
from training.publishing import build_manifest, publish
from training.reading.purchases import read_purchases
from training.synthetic.write import write_shop


def fitted(folder: Path, customers: int, products: int, purchases: int) -> Path:
    """Return a registry with a model of a synthetic shop."""
    registry = Registry(folder / "registry")
    if registry.root.exists() and registry.active():
        return registry.root
    shop, now = folder / "shop", int(time.time())
    write_shop(shop, customers=customers, products=products, purchases=purchases)
    lines = read_purchases(
        [shop / "purchases.parquet"], products=shop / "products.parquet", now=now
    )
    model = fit(lines, ModelSettings(), Reporter(), name="Everything")
    publish(registry, model, build_manifest(lines, model, ModelSettings(), {}, now))
    return registry.root


def list_recipients(folder: Path, count: int) -> Path:
    """Write a file of consecutive customers from the middle of a registry's active model."""
    registry = Registry(folder / "registry")
    ids = Recommender.load(registry.path(registry.active() or "")).model.customers.ids
    first = max(0, (len(ids) - count) // 2)
    names = [ids[user] for user in range(first, min(first + count, len(ids)))]
    path = folder / "recipients.csv"
    path.write_text("\n".join(["customer_id", *names]) + "\n", encoding="utf-8")
    return path


def exported(registry: Path, recipients: Path, output: Path, engine: list[str]) -> float:
    """Return the seconds of a command, from its start to its end; tells its processor time."""
    command = [sys.executable, "-m", "training", "export", "--registry", str(registry)]
    command += ["--recipients", str(recipients), "--output", str(output), *engine]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    steps = [line for line in done.stderr.splitlines() if line.endswith(" s") and ": " in line]
    print(f"{engine or 'processes'}: {seconds:.1f} s, {work:.1f} s of a processor; {steps}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--purchases", type=int, default=600_000)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    registry = fitted(options.folder, options.customers, options.products, options.purchases)
    recipients = list_recipients(options.folder, options.recipients)
    own, spark = options.folder / "own.csv", options.folder / "spark.csv"
    on_spark = ["--engine", "spark", "--master", options.master]
    for _ in range(options.turns):
        ratio = exported(registry, recipients, spark, on_spark) / exported(
            registry, recipients, own, []
        )
        same = filecmp.cmp(own, spark, shallow=False)
        print(f"{ratio:.2f} times the time; {'equal' if same else 'different'} files")


if __name__ == "__main__":
    main()
