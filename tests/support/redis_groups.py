"""Several Redis servers that belong together: Sentinels with a primary, a cluster, one with TLS."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

SERVICE = "shop"
SECONDS = 60.0  # on a machine however busy


def free_ports(count: int, spread: int = 0) -> list[int]:
    """Return ports that nobody has; with `spread`, each is free that much higher, too."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if port + spread > 65_000 or port in ports:
                continue
            if spread:
                try:
                    second.bind(("127.0.0.1", port + spread))
                except OSError:
                    continue
            ports.append(port)
    return ports


@contextmanager
def running(
    binary: str, folder: Path, lines: Sequence[str], *more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server with the lines of a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "redis.conf"
    config.write_text("\n".join([*lines, f"dir {folder}", "logfile redis.log", "bind 127.0.0.1"]))
    server = subprocess.Popen([binary, str(config), *more], stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.kill()
        server.wait()


def ask(port: int, *words: str) -> object:
    """Return what a server answers, None where it does not."""
    try:
        with Redis(port=port, socket_timeout=5, decode_responses=True) as client:
            return client.execute_command(*words)
    except RedisError:
        return None


def wait_until_so(port: int, expected: str, *words: str) -> None:
    """Wait until the answer of a server holds a word."""
    until = time.monotonic() + SECONDS
    while expected not in str(ask(port, *words)):
        assert time.monotonic() < until, f"{words} of {port} did not say {expected}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Watched:
    """A primary and a replica that three Sentinels watch."""

    url: str
    primary: subprocess.Popen[bytes]
    sentinels: Sequence[int]  # their ports
    replica_port: int

    def wait_for_failover(self) -> None:
        """Wait until the replica is the primary."""
        wait_until_so(self.replica_port, "master", "ROLE")


@contextmanager
def sentinels(binary: str, folder: Path) -> Iterator[Watched]:
    """Run Sentinels, of which two decide that a primary is gone after half a second."""
    primary, replica, *watching = free_ports(5)
    common = ['save ""', "appendonly no"]
    watch = [
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
        f"sentinel down-after-milliseconds {SERVICE} 500",
        f"sentinel failover-timeout {SERVICE} 2000",
    ]
    with ExitStack() as stack:
        enter = stack.enter_context
        first = enter(running(binary, folder / "primary", [f"port {primary}", *common]))
        wait_until_so(primary, "master", "ROLE")
        follow = f"replicaof 127.0.0.1 {primary}"
        enter(running(binary, folder / "replica", [f"port {replica}", follow, *common]))
        wait_until_so(replica, "connected", "ROLE")
        for port in watching:
            enter(
                running(binary, folder / f"sentinel{port}", [f"port {port}", *watch], "--sentinel")
            )
        for port in watching:
            wait_until_so(port, "'slaves': 1, 'sentinels': 3", "INFO", "sentinel")
        hosts = ",".join(f"127.0.0.1:{port}" for port in watching)
        yield Watched(f"redis+sentinel://{hosts}/{SERVICE}/0", first, watching, replica)


@contextmanager
def cluster(binary: str, folder: Path) -> Iterator[str]:
    """Run three servers that share the slots of a cluster; yield its address."""
    ports = free_ports(3, spread=10_000)
    with ExitStack() as stack:
        for port in ports:
            lines = [f"port {port}", "cluster-enabled yes", 'save ""', "appendonly no"]
            stack.enter_context(running(binary, folder / f"node{port}", lines))
        for rank, port in enumerate(ports):
            wait_until_so(port, "cluster_state", "CLUSTER", "INFO")
            slots = range(16_384 * rank // 3, 16_384 * (rank + 1) // 3)
            ask(port, "CLUSTER", "ADDSLOTS", *map(str, slots))
            ask(port, "CLUSTER", "SET-CONFIG-EPOCH", str(rank + 1))
            ask(port, "CLUSTER", "MEET", "127.0.0.1", str(ports[0]))
        for port in ports:
            wait_until_so(port, "cluster_state:ok", "CLUSTER", "INFO")
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports[:2])


@contextmanager
def encrypted(binary: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Run a server that speaks TLS alone; yield its address and the certificate to trust."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", str(key)]
    subprocess.run(
        ["openssl", "req", "-x509", *made, "-out", str(certificate), *name],
        check=True,
        capture_output=True,
    )
    (port,) = free_ports(1)
    lines = [
        "port 0",
        f"tls-port {port}",
        f"tls-cert-file {certificate}",
        f"tls-key-file {key}",
        "tls-auth-clients no",
        'save ""',
    ]
    with running(binary, folder / "server", lines) as server:
        until = time.monotonic() + SECONDS
        while server.poll() is None and time.monotonic() < until:
            try:
                with Redis(port=port, ssl=True, ssl_ca_certs=str(certificate)) as client:
                    client.ping()
                break
            except RedisError:
                time.sleep(0.05)
        yield f"rediss://127.0.0.1:{port}/0", certificate
