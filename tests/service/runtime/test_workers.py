"""`python -m service` starts, refuses what is unsafe, and leaves nothing behind."""

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from service.runtime.workers import pin_process, share_processors
from tests.support.permissions import obey_permissions
from tests.support.service_shop import Shop, process, started, status, wait_until

pytestmark = pytest.mark.slow


def start(*arguments: str, expect: int, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=obey_permissions,
    )
    assert done.returncode == expect, done.stderr
    return done.stderr


def refusal(*arguments: str, **variables: str) -> str:
    """Return the one sentence with which it does not start."""
    (sentence,) = start(*arguments, expect=2, **variables).splitlines()
    return sentence.removeprefix("service: ")


def test_it_does_not_listen_to_strangers_without_a_key() -> None:
    message = start(expect=2, REGULARS_HOST="0.0.0.0")
    assert "Set REGULARS_API_KEY to a long random text, or REGULARS_HOST to 127.0.0.1" in message


def test_a_misspelt_setting_stops_it() -> None:
    assert "did you mean REGULARS_REGISTRY?" in start(expect=2, REGULARS_REGISTRI="x")


def test_in_kubernetes_it_starts_and_its_log_names_what_it_ignores(
    shop: Shop, tmp_path: Path
) -> None:
    links = {"service_host": "10.0.0.1", "port_8000_tcp": "tcp://10.0.0.1:8000"}
    with process(shop.root, tmp_path / "run", **links):
        pass
    lines = (tmp_path / "service.log").read_text().splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    ignored = "REGULARS_PORT_8000_TCP, REGULARS_SERVICE_HOST"
    assert messages.count(f"not settings but links to services, ignored: {ignored}") == 1


@pytest.mark.parametrize("command", [[], ["migrate"], ["keys", "list"]])
def test_a_mistyped_registry_is_not_made(tmp_path: Path, command: list[str]) -> None:
    runtime, mistyped = str(tmp_path / "run"), tmp_path / "regsitry"
    variables = {"REGULARS_REGISTRY": str(mistyped), "REGULARS_RUNTIME_DIR": runtime}
    assert refusal(*command, **variables) == (
        f"REGULARS_REGISTRY: {mistyped} does not exist. The first training makes it; "
        "set REGULARS_CREATE_REGISTRY=true to start before"
    )
    assert not mistyped.exists()
    mistyped.write_text("a shopping list")
    sentence = refusal(*command, **variables)
    assert sentence == f"REGULARS_REGISTRY: {mistyped} is a file, expected a directory"


def test_a_registry_is_made_where_that_is_asked_for(tmp_path: Path) -> None:
    new = tmp_path / "deep" / "registry"
    variables = {
        "REGULARS_REGISTRY": str(new),
        "REGULARS_RUNTIME_DIR": str(tmp_path / "run"),
        "REGULARS_CREATE_REGISTRY": "true",
    }
    start("keys", "list", expect=0, **variables)
    assert (new / "store.db").is_file()
    (tmp_path / "sealed").mkdir(mode=0o500)
    variables["REGULARS_REGISTRY"] = f"{tmp_path}/sealed/registry"
    assert refusal(**variables).endswith("/sealed/registry cannot be made: Permission denied")


def test_a_store_in_a_mistyped_directory_is_not_made(tmp_path: Path) -> None:
    sentence = refusal(
        REGULARS_REGISTRY=str(tmp_path),
        REGULARS_RUNTIME_DIR=str(tmp_path / "run"),
        REGULARS_DATABASE_URL=f"sqlite:///{tmp_path}/strore/store.db",
    )
    assert sentence.startswith(f"the store is to be in {tmp_path}/strore, which is no directory")
    assert not (tmp_path / "strore").exists()


@pytest.mark.parametrize("command", [[], ["keys", "list"]])
def test_what_workers_share_needs_a_directory_that_can_be_written_to(
    tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    (tmp_path / "list").write_text("a shopping list")
    for runtime, cause in (
        ("sealed", "Permission denied"),
        ("sealed/run", "Permission denied"),
        ("list", "File exists"),
    ):
        sentence = refusal(
            *command,
            REGULARS_REGISTRY=str(tmp_path),
            REGULARS_RUNTIME_DIR=f"{tmp_path}/{runtime}",
        )
        assert sentence == (
            f"{tmp_path}/{runtime} cannot be written to: {cause}; "
            "REGULARS_RUNTIME_DIR says where to go instead"
        )


def test_a_store_of_another_version_stops_it_and_one_command_helps(tmp_path: Path) -> None:
    variables = {"REGULARS_REGISTRY": str(tmp_path), "REGULARS_RUNTIME_DIR": str(tmp_path / "run")}
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
    connection.close()
    message = start(expect=2, **variables)
    assert message.startswith("service: the database has schema 0000")
    assert message.count("\n") == 1
    assert "regulars migrate" in message


# Python runs a file of this name before anything else.
SITECUSTOMIZE = """
import os, sys

def watch(event, arguments):
    if event == "import" and arguments[0] == "numpy":
        threads = os.environ.get("OPENBLAS_NUM_THREADS")
        print("NumPy loads with", threads, "threads", file=sys.stderr)

sys.addaudithook(watch)
"""


@pytest.mark.parametrize(("chosen", "threads"), [("", "1"), ("3", "3")])
def test_numpy_loads_when_its_threads_are_set(tmp_path: Path, chosen: str, threads: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENBLAS", "COV"))
    }
    environment |= {"PYTHONPATH": str(tmp_path), "REGULARS_REGISTRI": "x"}
    if chosen:
        environment["OPENBLAS_NUM_THREADS"] = chosen
    done = subprocess.run(
        [sys.executable, "-m", "service"], env=environment, capture_output=True, text=True
    )
    assert f"NumPy loads with {threads} threads" in done.stderr
    assert "NumPy loads with None" not in done.stderr


def metrics_of(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


@pytest.fixture(scope="module")
def two_workers(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with process(shop.root, tmp_path_factory.mktemp("two") / "run", workers=2) as port:
        wait_until(lambda: len(connections(port, psutil.CONN_LISTEN)) == 2)
        yield port


def test_two_workers_answer_and_count_together(shop: Shop, two_workers: int) -> None:
    for _ in range(20):
        assert status(two_workers, "/v1/popular") == 200
    loaded = f'regulars_model_loaded{{shop="main",version="{shop.model.version}"}} 2.0'
    wait_until(lambda: loaded in metrics_of(two_workers))
    requests = 'regulars_request_seconds_count{route="/v1/popular",shop="main",status="200"} 20.0'
    assert requests in metrics_of(two_workers)


def connections(port: int, state: str) -> Counter[int]:
    """Return how many connections in a state each process has at a port of its own."""
    counts = Counter[int]()
    for worker in psutil.process_iter(["net_connections"]):
        for connection in worker.info["net_connections"] or ():
            address = connection.laddr
            counts[worker.pid] += bool(
                address and address[-1] == port and connection.status == state
            )
    return +counts


def listening(port: int) -> int:
    """Return how many sockets listen, also those of a process that is just ending."""
    return sum(
        connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port
        for connection in psutil.net_connections("tcp")
    )


def test_every_worker_gets_its_part_of_the_connections(two_workers: int) -> None:
    with ExitStack() as opened:
        for _ in range(64):
            opened.enter_context(socket.create_connection(("127.0.0.1", two_workers)))
        wait_until(lambda: connections(two_workers, psutil.CONN_ESTABLISHED).total() == 64)
        # By chance one has less than a quarter once in 50,000 times.
        assert min(connections(two_workers, psutil.CONN_ESTABLISHED).values()) >= 16


@pytest.mark.parametrize("workers", ["1", "2"])
def test_where_another_service_listens_it_does_not_start(
    two_workers: int, tmp_path: Path, workers: str
) -> None:
    message = start(
        expect=3,
        REGULARS_REGISTRY=str(tmp_path),
        REGULARS_RUNTIME_DIR=str(tmp_path),
        REGULARS_PORT=str(two_workers),
        REGULARS_WORKERS=workers,
    )
    assert "address already in use" in message.lower()


def processors_of(pid: int) -> set[int]:
    """Return where all threads of a process stay, none if they differ or one has just ended."""
    try:
        threads = psutil.Process(pid).threads()
        affinities = [os.sched_getaffinity(thread.id) for thread in threads]
    except (ProcessLookupError, psutil.NoSuchProcess):
        return set()
    first = affinities[0]
    return first if all(affinity == first for affinity in affinities) else set()


def are_shared_out(port: int) -> bool:
    """Return whether each worker has processors of its own, and each processor a worker."""
    processors = os.sched_getaffinity(0)
    shares = [processors_of(pid) for pid in connections(port, psutil.CONN_LISTEN)]
    if len(shares) != 2 or set.union(*shares) != processors:
        return False
    return len(processors) < 2 or not set.intersection(*shares)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere no process can be told where to stay"
)
def test_a_worker_that_has_just_ended_stays_nowhere_and_stops_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    pin_process(ended.pid, os.sched_getaffinity(0))


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere no process can be told where to stay"
)
def test_every_worker_has_processors_of_its_own(two_workers: int) -> None:
    wait_until(lambda: are_shared_out(two_workers))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_models_are_loaded_behind_the_answers(two_workers: int) -> None:
    wait_until(
        lambda: all(
            {0, 10} <= priorities_of(pid) for pid in connections(two_workers, psutil.CONN_LISTEN)
        )
    )


def priorities_of(pid: int) -> set[int]:
    """Return the priorities of a process's threads: 0 is usual, a higher number comes later."""
    try:
        stats = [(thread / "stat").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):  # one has just ended
        return set()
    return {int(stat.rpartition(")")[2].split()[16]) for stat in stats}


@pytest.mark.parametrize(
    ("workers", "shares"),
    [(1, [{0, 1, 4, 5}]), (2, [{0, 4}, {1, 5}]), (3, [{0, 5}, {1}, {4}]), (5, [{0, 1, 4, 5}] * 5)],
)
def test_processors_are_dealt_out_where_there_are_enough(
    workers: int, shares: list[set[int]]
) -> None:
    assert share_processors([0, 1, 4, 5], workers) == shares


def test_when_a_worker_is_killed_the_other_answers_until_it_is_replaced(two_workers: int) -> None:
    killed, _ = connections(two_workers, psutil.CONN_LISTEN)
    psutil.Process(killed).kill()
    # What it has not accepted ends with it; nothing more is dealt to it once its socket is gone.
    wait_until(lambda: listening(two_workers) == 1)
    while len(connections(two_workers, psutil.CONN_LISTEN)) < 2:
        assert status(two_workers, "/v1/popular") == 200
    # The new one has the processors of the dead one.
    wait_until(lambda: sys.platform != "linux" or are_shared_out(two_workers))


def master_of(pids: Iterable[int]) -> psutil.Process:
    (master,) = {psutil.Process(pid).ppid() for pid in pids}
    return psutil.Process(master)


def test_when_all_workers_are_killed_it_answers_again_as_soon_as_new_ones_can(
    two_workers: int,
) -> None:
    wait_until(lambda: len(connections(two_workers, psutil.CONN_LISTEN)) == 2)
    workers = [psutil.Process(pid) for pid in connections(two_workers, psutil.CONN_LISTEN)]
    for worker in workers:
        worker.kill()
    began = time.monotonic()
    psutil.wait_procs(workers)
    wait_until(lambda: status(two_workers, "/v1/popular") == 200)
    taken = time.monotonic() - began
    wait_until(lambda: len(connections(two_workers, psutil.CONN_LISTEN)) == 2)
    # On a busy machine everything takes longer: a worker's imports are most of its start.
    began = time.monotonic()
    imports = [sys.executable, "-c", "import service.app"]
    for importing in [subprocess.Popen(imports) for _ in range(2)]:
        importing.wait()
    assert taken < max(2.0, 3 * (time.monotonic() - began))


def test_a_worker_that_ends_while_another_starts_is_replaced_at_once(two_workers: int) -> None:
    wait_until(lambda: len(connections(two_workers, psutil.CONN_LISTEN)) == 2)
    first, second = (psutil.Process(pid) for pid in connections(two_workers, psutil.CONN_LISTEN))
    master = master_of([first.pid, second.pid])
    first.kill()
    wait_until(lambda: not is_running(first))
    wait_until(lambda: len(workers_of(master) - {second}) == 1)
    (starting,) = workers_of(master) - {second}
    starting.suspend()  # as if its start took long
    try:
        second.kill()
        began = time.monotonic()
        wait_until(lambda: len(workers_of(master) - {second}) == 2)
        assert time.monotonic() - began < 2.0
    finally:
        starting.resume()
    wait_until(lambda: len(connections(two_workers, psutil.CONN_LISTEN)) == 2)


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def workers_of(master: psutil.Process) -> set[psutil.Process]:
    """Return the workers, also those that are starting: Python has one more child, a tracker."""
    return {
        child
        for child in master.children()
        if is_running(child) and any("spawn_main" in word for word in child.cmdline())
    }


def test_workers_end_with_the_process_that_supervises_them_and_the_port_is_free(
    shop: Shop, tmp_path: Path
) -> None:
    with started(shop.root, tmp_path / "run", workers=2) as (port, master):
        wait_until(lambda: len(connections(port, psutil.CONN_LISTEN)) == 2)
        workers = [psutil.Process(pid) for pid in connections(port, psutil.CONN_LISTEN)]
        with socket.create_connection(("127.0.0.1", port)):  # which asks nothing
            master.kill()
            left = psutil.wait_procs(workers, timeout=10)[1]
            for worker in left:
                worker.kill()
    assert left == []
    assert listening(port) == 0
    with process(shop.root, tmp_path / "run", workers=2, port=port) as again:
        assert again == port


def test_logs_hold_no_paths(shop: Shop, tmp_path: Path) -> None:
    with process(shop.root, tmp_path / "run") as port:
        assert status(port, "/v1/customers/anna/recommendations?n=1000") == 422
        assert status(port, "/v1/customers/anna/recommendations") == 200
    log = (tmp_path / "service.log").read_text()
    assert shop.model.version in log
    assert "anna" not in log
    assert "recommendations" not in log


def test_ids_arrive_as_they_were_written(shop: Shop, tmp_path: Path) -> None:
    with process(shop.root, tmp_path / "run") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for name in ("%2F", ".", "..", "../..", "a%41", "a/b", "a+b", "%", "\x01", "007"):
            connection.request(
                "GET", f"/v1/customers/{quote(name, safe='')}/recommendations?n=1&fields=ids"
            )
            response = connection.getresponse()
            assert (response.status, json.load(response)["customer_id"]) == (200, name)
        connection.close()
        assert status(port, "/v1/customers/%00/recommendations") == 422
