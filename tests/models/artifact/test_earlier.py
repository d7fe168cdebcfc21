"""A version that an earlier Regulars trained is read as what it was."""

from dataclasses import replace
from pathlib import Path

from models.artifact.files import SCHEMA, load_artifact
from models.artifact.registry import Registry
from models.data.customers import MEASURE, NEVER_ASKED, PERSONALIZE_WEB, YES
from models.model import Model
from models.recommender import Recommender
from tests.support.shop import NO_WEB


def test_in_a_version_from_before_measuring_nobody_was_asked_about_it(
    shop: Recommender, tmp_path: Path
) -> None:
    model, manifest = shop.model, shop.manifest
    customers = model.customers
    asked = replace(
        customers,
        consent=customers.consent[:, :MEASURE],
        consent_time=customers.consent_time[:, :MEASURE],
    )
    registry = Registry(tmp_path)
    published = registry.publish(replace(model, customers=asked), replace(manifest, schema=3))
    read, loaded = load_artifact(registry.path(published.version), Model)
    assert (read.schema, SCHEMA) == (3, 5)
    assert read.version == published.version
    assert loaded.customers.consent.shape == customers.consent.shape
    assert set(loaded.customers.consent[:, MEASURE]) == {NEVER_ASKED}
    assert set(loaded.customers.consent_time[:, MEASURE]) == {0}
    user = loaded.customers.ids.find(NO_WEB)
    assert loaded.customers.consent[user, PERSONALIZE_WEB] not in (NEVER_ASKED, YES)
