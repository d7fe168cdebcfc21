"""A campaign keeps to its first model: through new ones, restarts, deaths and pruning."""

import gc
import time
import weakref
from pathlib import Path

import orjson
import pytest

from models.artifact.registry import Registry
from tests.support.load_client import fetched, mail_call
from tests.support.mail_client import (
    CUSTOMERS,
    agree,
    agreed_content,
    kept,
    let_pass,
    mail,
    publish_other_tastes,
    shown,
    wait_for_model,
)
from tests.support.mailing import essence
from tests.support.service_process import UNHURRIED_MS, kill, server
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.shop import REGULAR

pytestmark = pytest.mark.slow


def test_a_new_model_leaves_an_open_campaign_alone_and_the_next_one_has_it(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, poll_seconds=0.05)
    fetched_before = kept(client, REGULAR, "autumn")
    others_before = shown(mail(client, "c01", None))
    newer = publish_other_tastes(own_shop)
    wait_for_model(client, newer)
    assert agreed_content(mail(client, REGULAR, "autumn")) == agreed_content(fetched_before)
    for_another = mail(client, "c01", "autumn")
    assert shown(for_another) == others_before
    assert for_another["model_version"] == fetched_before["model_version"] != newer
    with_the_new = mail(client, "c01", "winter")
    assert with_the_new["model_version"] == newer
    assert {
        slot["category"] for slot in mail(client, "c01", "winter", fields="card")["recommendations"]
    } == {None}
    let_pass(client, "autumn", 73)
    assert mail(client, "c01", "autumn")["model_version"] == newer


def test_once_its_campaigns_are_over_a_model_leaves_the_memory(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, poll_seconds=0.05, follow_seconds=0.05)
    mail(client, "c01", "autumn")
    responder = client.app.state.responder  # type: ignore[attr-defined]
    before = weakref.ref(responder.model().recommender)
    wait_for_model(client, publish_other_tastes(own_shop))
    mail(client, "c02", "autumn")
    gc.disable()  # nobody has to look for it
    try:
        let_pass(client, "autumn", 73)
        wait_until(lambda: before() is None)
    finally:
        gc.enable()


def test_a_campaign_can_be_made_for_a_model_and_a_moment(browse: Browse, own_shop: Shop) -> None:
    first = own_shop.model.version
    client = browse(own_shop.root, poll_seconds=0.05)
    newer = publish_other_tastes(own_shop)
    wait_for_model(client, newer)
    agreed = agree(client, "old", model_version=first, as_of="2025-05-01T00:00:00Z")
    assert (agreed["model_version"], agreed["as_of"]) == (first, "2025-05-01T00:00:00Z")
    assert client.get("/v1/campaigns/old").json() == agreed
    assert mail(client, "c01", "old")["model_version"] == first


def test_a_model_that_a_campaign_needs_is_not_pruned(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, poll_seconds=0.05)
    before = kept(client, "c00", "autumn")
    newer = publish_other_tastes(own_shop)
    wait_for_model(client, newer)
    registry, version = Registry(own_shop.root), own_shop.model.version
    wait_until(lambda: registry.pinned(version, now=int(time.time())) > time.time())
    assert Registry(own_shop.root).prune(now=int(time.time()), keep=1, max_age_days=100_000) == []
    again = browse(own_shop.root, poll_seconds=0.05)  # started anew
    assert agreed_content(mail(again, "c00", "autumn")) == agreed_content(before)
    assert mail(again, "c01", "autumn")["model_version"] == own_shop.model.version


def test_at_two_workers_after_death_and_with_a_new_model_every_mail_is_the_same(
    own_shop: Shop, tmp_path: Path
) -> None:
    calls = [mail_call(name, "autumn", UNHURRIED_MS) for name in [*CUSTOMERS[:20], "a stranger"]]
    settings = {"workers": 2, "runtime_dir": tmp_path / "run"}
    with server(own_shop.root, **settings) as (port, pid, _):
        at_once = [
            essence(answer) for answer in fetched(port, [call for call in calls for _ in range(5)])
        ]
        kill(pid)
    assert at_once == [mail_content for mail_content in at_once[::5] for _ in range(5)]
    newer = publish_other_tastes(own_shop)
    with server(own_shop.root, **settings) as (port, _, _):
        assert [essence(answer) for answer in fetched(port, calls)] == at_once[::5]
        model = orjson.loads(fetched(port, [mail_call("c00", "winter", UNHURRIED_MS)])[0].body)[
            "model_version"
        ]
        assert model == newer
