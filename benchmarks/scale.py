"""What 1, 10 and 100 million customers need: `python -m benchmarks.scale`.

Multiplies what was measured on one machine, and simulates a queue of calls before the workers. The
table of record is in docs/scale.md.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# Measured; docs/scale.md says where.
LINE_BYTES: Final = 21  # of histories in an artifact, a line
SALES_BYTES: Final = 9  # of daily sales in an artifact, a line at most
CUSTOMER_BYTES: Final = 60  # of ids, consents and markets
PRODUCT_BYTES: Final = 1_440  # of everything that was learned of a product
TRAINING_BYTES: Final = 260  # of the largest moment of a training, a line
TRAINING_SECONDS: Final = 52e-6  # a line, on two cores
EXPORTS_A_SECOND: Final = 537  # slates with the ranker, one core
SLATE_MS: Final = (4.7, 8.8)  # p50 and p99 of a computed slate
CALL_OVERHEAD_MS: Final = 0.3  # of HTTP around it
HIT_MS: Final = 0.1  # a cached answer

# Assumed of a shop: change them to your own.
LINES_A_CUSTOMER: Final = 20
CALLS_A_CUSTOMER_AND_DAY: Final = 0.4  # one in twenty visits, and sees eight slates
PEAK: Final = 3.0  # the busiest hour against the mean
HIT_SHARE: Final = 0.5
EVENT_BYTES: Final = 300  # in the store with its indices
EVENT_DAYS: Final = 90
NIGHT_SECONDS: Final = 8 * 3600
WANTED_P99_MS: Final = 50.0

# List prices of one cloud: AWS, m7g on demand in Virginia in June 2026. A core comes with 4 GB.
CORE_HOUR_USD: Final = 0.0408
CORE_GB: Final = 4
STORAGE_MONTH_USD: Final = 0.115  # a gigabyte of a database, gp3
HOURS_A_MONTH: Final = 730

CALLS: Final = 100_000  # of a simulation
Z99: Final = 2.326  # quantile of the normal distribution


@dataclass(frozen=True)
class Machine:
    """A size of machine."""

    cores: int
    memory_gb: int

    @property
    def hour_usd(self) -> float:
        """Return its price: the cores decide, or the memory where that asks for more."""
        return max(self.cores, self.memory_gb / CORE_GB) * CORE_HOUR_USD


@dataclass(frozen=True)
class SizedShop:
    """A shop, and the machines that it is run on: two hosts, two for its database."""

    customers: int
    products: int
    host: Machine
    database: Machine
    trainer: Machine | None  # None: it is trained on a host
    trainings: int  # a month


SHOPS: Final = (
    SizedShop(1_000_000, 100_000, Machine(4, 16), Machine(2, 8), None, 30),
    SizedShop(10_000_000, 300_000, Machine(4, 16), Machine(4, 16), Machine(2, 64), 30),
    SizedShop(100_000_000, 1_000_000, Machine(8, 128), Machine(8, 64), Machine(2, 520), 4),
)


@dataclass(frozen=True)
class Needs:
    """Hold what a shop needs, in gigabytes, hours, cores and calls a second."""

    lines: int
    artifact_gb: float
    histories_share: float
    training_gb: float
    training_hours: float
    export_cores: int  # for everyone in a night
    peak_calls: float
    serving_cores: int
    p99_ms: float
    store_gb: float


def estimate(customers: int, products: int, random: Generator) -> Needs:
    """Return what a shop of this size needs."""
    lines = customers * LINES_A_CUSTOMER
    histories = lines * LINE_BYTES
    artifact = histories + lines * SALES_BYTES + customers * CUSTOMER_BYTES
    artifact += products * PRODUCT_BYTES
    calls_a_day = customers * CALLS_A_CUSTOMER_AND_DAY
    peak = calls_a_day / 86_400 * PEAK
    cores, p99 = find_cores(peak, random)
    return Needs(
        lines=lines,
        artifact_gb=artifact / 1e9,
        histories_share=histories / artifact,
        training_gb=lines * TRAINING_BYTES / 1e9,
        training_hours=lines * TRAINING_SECONDS / 3600,
        export_cores=int(np.ceil(customers / EXPORTS_A_SECOND / NIGHT_SECONDS)),
        peak_calls=peak,
        serving_cores=cores,
        p99_ms=p99,
        store_gb=calls_a_day * EVENT_BYTES * EVENT_DAYS / 1e9,
    )


def month_usd(shop: SizedShop, needs: Needs) -> float:
    """Return what the machines of a shop cost a month at list prices, without traffic."""
    running = 2 * (shop.host.hour_usd + shop.database.hour_usd) * HOURS_A_MONTH
    storage = 2 * needs.store_gb * STORAGE_MONTH_USD
    trainer = shop.trainer.hour_usd if shop.trainer else 0.0
    return running + storage + trainer * needs.training_hours * shop.trainings


def find_cores(calls_a_second: float, random: Generator) -> tuple[int, float]:
    """Return the least number of cores that answer within WANTED_P99_MS, and their p99 in ms."""
    work = draw_work(random)
    cores = max(1, int(calls_a_second * work.mean() / 1000))
    arrivals = np.cumsum(random.exponential(1000 / calls_a_second, CALLS))
    while True:
        p99 = float(np.quantile(simulate(arrivals, work, cores), 0.99))
        if p99 <= WANTED_P99_MS:
            return cores, p99
        cores += 1


def draw_work(random: Generator) -> NDArray[np.float64]:
    """Return milliseconds of a core that each call takes: float64 (CALLS,)."""
    median, p99 = SLATE_MS
    computed = random.lognormal(np.log(median), np.log(p99 / median) / Z99, CALLS)
    is_hit = random.random(CALLS) < HIT_SHARE
    return np.where(is_hit, HIT_MS, computed + CALL_OVERHEAD_MS)


def simulate(
    arrivals: NDArray[np.float64], work: NDArray[np.float64], cores: int
) -> NDArray[np.float64]:
    """Return how long each call takes, in ms, where the first free core takes the first call."""
    free = [0.0] * cores
    waits = np.empty(len(arrivals))
    for call, (arrival, taken) in enumerate(zip(arrivals.tolist(), work.tolist(), strict=True)):
        done = max(arrival, heapq.heappop(free)) + taken
        heapq.heappush(free, done)
        waits[call] = done - arrival
    return waits


def main() -> None:
    random = np.random.default_rng(0)
    for shop in SHOPS:
        needs = estimate(shop.customers, shop.products, random)
        print(f"{shop.customers:,} customers, {shop.products:,} products, {needs.lines:,} lines")
        print(
            f"  artifact {needs.artifact_gb:.1f} GB, of which histories "
            f"{needs.histories_share:.0%}; training {needs.training_gb:.0f} GB and "
            f"{needs.training_hours:.1f} h on two cores"
        )
        print(
            f"  everyone exported in a night: {needs.export_cores} cores; peak "
            f"{needs.peak_calls:,.0f} calls a second: {needs.serving_cores} cores, p99 "
            f"{needs.p99_ms:.0f} ms; events of {EVENT_DAYS} days {needs.store_gb:,.0f} GB; "
            f"${month_usd(shop, needs):,.0f} a month"
        )


if __name__ == "__main__":
    main()
