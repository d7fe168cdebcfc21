"""Every call of the service, in the order in which paths are matched."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.convertors import register_url_convertor

from service.routes import (
    audit,
    batch,
    blocks,
    bundles,
    campaign_mails,
    campaign_recipients,
    campaigns,
    customers,
    events,
    experiment_results,
    experiments,
    explanations,
    feeds,
    imports,
    insights,
    keys,
    mail_block,
    models,
    offers,
    operations,
    preferences,
    products,
    rankings,
    rules,
    shop_lists,
    shop_pages,
    shops,
    slates,
    tokens,
    trainings,
    worth,
)
from service.routes.clicks import add_click_routes
from service.routes.docs_page import add_docs
from service.routes.registration import add_operations
from service.routes.route_classes import IdConvertor

OPERATIONS: Final = (
    *slates.OPERATIONS,
    *rankings.OPERATIONS,
    *shop_lists.OPERATIONS,
    *shop_pages.OPERATIONS,
    *batch.OPERATIONS,
    *mail_block.OPERATIONS,
    *blocks.OPERATIONS,
    *feeds.OPERATIONS,
    *events.OPERATIONS,
    *imports.OPERATIONS,
    *campaign_mails.OPERATIONS,  # their addresses end as an id may
    *campaign_recipients.OPERATIONS,
    *campaigns.OPERATIONS,
    *products.OPERATIONS,
    *rules.OPERATIONS,
    *bundles.OPERATIONS,
    *offers.OPERATIONS,
    *experiments.OPERATIONS,
    *experiment_results.OPERATIONS,
    *audit.OPERATIONS,
    *explanations.OPERATIONS,
    *customers.OPERATIONS,
    *preferences.OPERATIONS,
    *tokens.OPERATIONS,
    *insights.OPERATIONS,
    *worth.OPERATIONS,
    *keys.OPERATIONS,
    *trainings.OPERATIONS,
    *models.OPERATIONS,
    *shops.OPERATIONS,
    *operations.OPERATIONS,
)


def add_api(app: FastAPI) -> None:
    """Add every call, the links of mails and the documentation."""
    register_url_convertor("id", IdConvertor())
    add_operations(app, OPERATIONS)
    add_click_routes(app)
    add_docs(app)
