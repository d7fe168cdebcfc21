"""The JavaScript client in Node.js, against a running service behind a bad line."""

import gzip
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from clients.generate import CALLS, script_name
from tests.support.keyed_service import ANNA, FIRST_KEY, token
from tests.support.lossy_proxy import LossyProxy, Mishap
from tests.support.node import CLIENT, NEEDS_NODE, run_node
from tests.support.store_clients import audit_sent

TSC = shutil.which("tsc")
slow = pytest.mark.slow
pytestmark = NEEDS_NODE
ADD = """
const queue = new EventQueue();
const add = (name, count) => Array.from({ length: count }, (_, number) => queue.add(
  { kind: "view", event_id: `${name}-${number}`, customer_id: "c09", product_id: "bread" }));
"""


def test_the_client_takes_five_kilobytes_as_it_is() -> None:
    assert len(gzip.compress(CLIENT.read_bytes(), 9)) <= 5_000


def test_the_client_makes_the_calls_of_the_document() -> None:
    calls = run_node("say(client.CALLS)")
    assert set(calls) == {script_name(name) for name in CALLS}
    for name, call in CALLS.items():
        pieces = call.partition("{")[0], call.partition("}")[2]
        path = "{}".join(pieces) if "{" in call else call
        assert calls[script_name(name)] == path


@pytest.mark.skipif(TSC is None, reason="There is no tsc on the PATH, which reads the types.")
def test_the_types_are_understood(tmp_path: Path) -> None:
    subprocess.run([TSC, "--noEmit", "--strict", CLIENT.with_suffix(".d.ts")], check=True)


@slow
def test_a_storefront_gets_what_it_asks_for(proxy: LossyProxy) -> None:
    script = """
    const slate = await regulars.slate("c00", { n: 3, exclude: ["bread", "milk"], category: null });
    const visit = await regulars.visit({ recent: ["bread"], n: 2 });
    const parts = [{ kind: "customer", n: 2 }, { kind: "popular" }];
    const page = await regulars.page({ customer_id: "c00", parts });
    await regulars.putProducts({ products: [{ product_id: "a/b?", title: "Rye", price: 2 }] });
    const { document } = await regulars.changeProduct("a/b?", { price: null });
    await regulars.setConsent("c07", { personalize_email: false });
    say([slate.count, visit.strategy, page.parts.length, document.price ?? null,
      (await regulars.popular()).count]);
    """
    answers = run_node(script, proxy.url, FIRST_KEY)
    assert answers == [3, "session", 2, None, 10]
    assert "/v1/customers/c00/recommendations?n=3&exclude=bread&exclude=milk" in proxy.calls[0]


@slow
def test_a_browser_calls_with_a_token_that_is_asked_for_each_time(proxy: LossyProxy) -> None:
    script = """
    let asked = 0;
    const keys = [null, key];
    const browser = new Regulars(url, { key: async () => keys[asked++] });
    say([await failure(browser.slate("c00")), (await browser.slate("c00", { n: 2 })).count]);
    """
    refused, count = run_node(script, proxy.url, token(ANNA))
    assert (refused["status"], refused["kind"], count) == (401, "unauthorized", 2)


@slow
def test_a_refusal_says_which_field_is_wrong_and_is_not_asked_for_again(proxy: LossyProxy) -> None:
    refused = run_node("say(await failure(regulars.slate('c00', { n: 0 })))", proxy.url, FIRST_KEY)
    assert (refused["name"], refused["status"], refused["kind"]) == (
        "ServiceError",
        422,
        "invalid_request",
    )
    assert refused["errors"][0]["field"] == "n"
    assert len(proxy.calls) == 1


@slow
def test_reading_is_repeated_and_a_change_is_not(proxy: LossyProxy) -> None:
    proxy.mishaps = [Mishap.LOST, Mishap.UNANSWERED]
    script = "say((await regulars.slate('c00', { n: 1 })).count)"
    assert run_node(script, proxy.url, FIRST_KEY) == 1
    assert len(proxy.calls) == 3
    proxy.mishaps = [Mishap.UNANSWERED, Mishap.GARBLED]
    script = """say([await failure(regulars.changeProduct("bread", { price: 2 })),
      await failure(regulars.popular())])"""
    lost, garbled = run_node(script, proxy.url, FIRST_KEY)
    assert (lost["name"], garbled["name"]) == ("NoAnswerError", "NoAnswerError")
    assert "no JSON" in garbled["message"]
    assert len(proxy.calls) == 5


@slow
def test_the_client_comes_back_when_the_service_says(proxy: LossyProxy) -> None:
    proxy.mishaps = [Mishap.BUSY, Mishap.BUSY]
    script = """
    const hasty = new Regulars(url, { key, retry: { longestSeconds: 0.5 } });
    const busy = await failure(hasty.popular());
    say([busy, (await regulars.popular({ n: 1 })).count]);
    """
    begun = time.monotonic()
    busy, count = run_node(script, proxy.url, FIRST_KEY)
    assert (busy["status"], busy["retryAfter"], count) == (503, 1, 1)
    assert time.monotonic() - begun >= 1.0


@slow
def test_no_event_is_lost_or_doubled_on_a_bad_line(proxy: LossyProxy, store_url: str) -> None:
    proxy.mishaps = [Mishap.LOST] * 4 + [Mishap.UNANSWERED, Mishap.LOST, Mishap.UNANSWERED]
    script = """
    const sent = add("script", 230);
    const failed = await failure(regulars.deliver(queue));
    const waited = queue.length;
    queue.add({ kind: "view", event_id: "bad", product_id: "bread" });
    const delivery = await regulars.deliver(queue);
    say([failed.name, waited, delivery, queue.length, sent]);
    """
    failed, waited, delivery, left, sent = run_node(ADD + script, proxy.url, FIRST_KEY)
    assert (failed, waited, delivery["stored"], left) == ("NoAnswerError", 230, 230, 0)
    (refused,) = delivery["refused"]
    assert refused["event"]["event_id"] == "bad"
    assert audit_sent(store_url, sent) == (0, 0)


@slow
def test_an_event_that_is_too_large_keeps_no_other_back(proxy: LossyProxy, store_url: str) -> None:
    script = """
    const sent = add("light", 3);
    queue.add({ kind: "view", event_id: "huge", customer_id: "c09", product_id: "x".repeat(1e6) });
    sent.push(...add("later", 3));
    const { stored, refused } = await regulars.deliver(queue);
    say([stored, refused[0].event.event_id, sent]);
    """
    stored, refused, sent = run_node(ADD + script, proxy.url, FIRST_KEY)
    assert (stored, refused) == (6, "huge")
    assert audit_sent(store_url, sent) == (0, 0)


def test_events_wait_in_what_the_browser_keeps_and_each_customer_has_a_queue() -> None:
    script = """
    const kept = new Map();
    const storage = {
      get length() { return kept.size; }, key: (index) => [...kept.keys()][index],
      getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
    const anna = new EventQueue({ name: "anna", storage });
    for (let n = 0; n < 12; n += 1) anna.add({ kind: "view", event_id: `v${n}`, product_id: "p" });
    const later = new EventQueue({ name: "anna", storage, most: 12 });
    const full = await failure(Promise.resolve().then(() => later.add({ kind: "view" })));
    const ids = later.first(20).map((event) => event.event_id);
    later.remove(later.first(5));
    say([ids, anna.length, new EventQueue({ name: "bert", storage }).length, full.message]);
    """
    ids, left, others, full = run_node(script)
    assert ids == [f"v{number}" for number in range(12)]
    assert (left, others, full) == (7, 0, "12 events wait to be sent.")


def test_events_wait_in_memory_where_the_browser_keeps_nothing() -> None:
    script = """
    const refuse = () => { throw new Error("full"); };
    const storage = { length: 0, key: () => null, setItem: refuse, removeItem: () => {} };
    const queue = new EventQueue({ storage });
    const id = queue.add({ kind: "view", product_id: "p" });
    say([queue.length, queue.first(1)[0].event_id === id]);
    """
    assert run_node(script) == [1, True]


def test_an_id_that_no_browser_can_send_in_an_address_is_refused_at_once() -> None:
    refused = run_node("say(await failure(regulars.product('..')))")
    assert "send it in the body" in refused["message"]
