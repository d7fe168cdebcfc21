"""Settings of one shop: those of the deployment, but for what the shop says itself."""

from __future__ import annotations

import hashlib
import hmac

from pydantic import SecretStr
from sqlalchemy import make_url

from models.artifact.shops import FOLDER, registry_of, schema_options
from service.settings import Settings
from service.store.shops import ShopRecord


def settings_of(record: ShopRecord, deployment: Settings) -> Settings:
    """Return the settings that a shop is answered with."""
    public_url, name = deployment.public_url, record.name
    own = {
        "registry": registry_of(name, deployment.registry),
        "database_url": SecretStr(store_url_of(name, deployment)),
        "api_key": None,
        "signing_key": SecretStr(signing_key_of(record, deployment)),
        "import_secrets": deployment.import_secrets_for(name),
        "wording_dir": deployment.wording_for(name),
        "public_url": None if public_url is None else f"{public_url}/{FOLDER}/{name}",
        "demo": False,
    }
    return deployment.model_copy(update=own | dict(record.settings))


def store_url_of(name: str, deployment: Settings) -> str:
    """Return the address of a shop's store: a schema of PostgreSQL, or a file in its registry."""
    if deployment.store_url().startswith("sqlite"):
        return f"sqlite:///{(registry_of(name, deployment.registry) / 'store.db').absolute()}"
    address = make_url(deployment.store_url())
    address = address.update_query_dict({"options": schema_options(name)})
    return address.render_as_string(hide_password=False)


def signing_key_of(record: ShopRecord, deployment: Settings) -> str:
    """Return the secret with which a shop's server may sign tokens of customers.

    Neither the store nor the deployment's secret is enough to make it.
    """
    secret = deployment.signing_secret()
    return hmac.digest(secret, b"shop " + record.secret, hashlib.sha256).hex()
