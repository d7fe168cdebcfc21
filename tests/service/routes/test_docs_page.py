"""The documentation comes from this service alone and says what it does."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from models.slate import FallbackReason, ReasonKind, ScoreKind, Source, Strategy
from service.routes.docs_page import find_assets
from tests.support.limits import limits_of, read_limits

OPERATION_IDS = {
    "get_due_mails_v1_campaigns__campaign_id__due_get",
    "get_offers_v1_offers_get",
    "get_offer_v1_offers__offer_id__get",
    "put_offer_v1_offers__offer_id__put",
    "delete_offer_v1_offers__offer_id__delete",
    "import_documents_v1_import__vendor__post",
    "customer_recommendations_v1_customers__customer_id__recommendations_get",
    "session_recommendations_v1_recommendations_post",
    "similar_products_v1_products__product_id__similar_get",
    "popular_products_v1_popular_get",
    "product_bundles_v1_products__product_id__bundles_get",
    "basket_bundles_v1_baskets_bundles_post",
    "order_follow_up_v1_orders__order_id__follow_up_get",
    "batch_recommendations_v1_recommendations_batch_post",
    "rank_products_v1_rankings_post",
    "answer_page_v1_pages_post",
    "shop_list_v1_lists__name__get",
    "recently_viewed_v1_customers__customer_id__recently_viewed_get",
    "recommendations_block_v1_customers__customer_id__recommendations_html_get",
    "shop_feed_v1_feeds__name__json_get",
    "product_ratings_v1_products__product_id__ratings_get",
    "post_events_v1_events_post",
    "get_campaigns_v1_campaigns_get",
    "get_campaign_v1_campaigns__campaign_id__get",
    "put_campaign_v1_campaigns__campaign_id__put",
    "delete_campaign_v1_campaigns__campaign_id__delete",
    "get_campaign_mails_v1_campaigns__campaign_id__mails_get",
    "put_products_v1_products_put",
    "patch_product_v1_products__product_id__patch",
    "get_product_v1_products__product_id__get",
    "delete_product_v1_products__product_id__delete",
    "get_blocks_v1_blocks_get",
    "get_block_v1_blocks__name__get",
    "preview_block_v1_blocks_preview_post",
    "put_block_v1_blocks__name__put",
    "delete_block_v1_blocks__name__delete",
    "get_rules_v1_rules_get",
    "get_rule_v1_rules__rule_id__get",
    "put_rule_v1_rules__rule_id__put",
    "delete_rule_v1_rules__rule_id__delete",
    "get_bundles_v1_bundles_get",
    "get_bundle_v1_bundles__bundle_id__get",
    "put_bundle_v1_bundles__bundle_id__put",
    "delete_bundle_v1_bundles__bundle_id__delete",
    "get_experiments_v1_experiments_get",
    "get_experiment_v1_experiments__experiment_id__get",
    "put_experiment_v1_experiments__experiment_id__put",
    "stop_experiment_v1_experiments__experiment_id__stop_post",
    "delete_experiment_v1_experiments__experiment_id__delete",
    "experiment_results_v1_insights_experiments__experiment_id__get",
    "get_holdout_v1_holdout_get",
    "put_holdout_v1_holdout_put",
    "get_audit_v1_audit_get",
    "preview_rules_v1_rules_preview_post",
    "count_rule_cost_v1_rules_cost_post",
    "put_consent_v1_customers__customer_id__consent_put",
    "put_unused_v1_customers__customer_id__unused_put",
    "get_preferences_v1_customers__customer_id__preferences_get",
    "put_preferences_v1_customers__customer_id__preferences_put",
    "delete_preferences_v1_customers__customer_id__preferences_delete",
    "profile_v1_customers__customer_id__profile_get",
    "export_v1_customers__customer_id__export_get",
    "replenishment_v1_customers__customer_id__replenishment_get",
    "forget_v1_customers__customer_id__delete",
    "make_token_v1_tokens_post",
    "models_v1_models_get",
    "get_model_v1_models__version__get",
    "rollback_model_v1_models_rollback_post",
    "insights_overview_v1_insights_overview_get",
    "insights_attribution_v1_insights_attribution_get",
    "insights_feedback_v1_insights_feedback_get",
    "insights_segments_v1_insights_segments_get",
    "insights_cohorts_v1_insights_cohorts_get",
    "insights_value_v1_insights_value_get",
    "insights_customer_v1_insights_customers__customer_id__get",
    "activate_v1_models__version__activate_post",
    "healthz_healthz_get",
    "readyz_readyz_get",
    "metrics_metrics_get",
    "explain_v1_customers__customer_id__explain_get",
    "get_events_v1_events_get",
    "get_keys_v1_keys_get",
    "make_key_v1_keys_post",
    "revoke_key_v1_keys__key_id__delete",
    "shops_v1_shops_get",
    "shop_v1_shops__name__get",
    "put_shop_v1_shops__name__put",
    "end_shop_v1_shops__name__delete",
    "trainings_v1_trainings_get",
    "report_v1_trainings__name__report_get",
    "settings_v1_settings_get",
}


@pytest.fixture(scope="module")
def openapi(client: TestClient) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


def test_the_page_loads_nothing_from_anywhere_else(client: TestClient) -> None:
    page = client.get("/docs")
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(address).status_code == 200


def test_a_missing_page_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="fastapi-offline is not installed; run 'make setup'"):
        find_assets()


def test_every_address_is_described(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    assert set(openapi["paths"]) == {
        "/v1/customers/{customer_id}/recommendations",
        "/v1/customers/{customer_id}/recommendations.html",
        "/v1/recommendations",
        "/v1/recommendations/batch",
        "/v1/rankings",
        "/v1/pages",
        "/v1/lists/{name}",
        "/v1/customers/{customer_id}/preferences",
        "/v1/customers/{customer_id}/recently-viewed",
        "/v1/offers",
        "/v1/offers/{offer_id}",
        "/v1/campaigns",
        "/v1/campaigns/{campaign_id}",
        "/v1/campaigns/{campaign_id}/due",
        "/v1/campaigns/{campaign_id}/mails",
        "/v1/products/{product_id}/similar",
        "/v1/products/{product_id}/bundles",
        "/v1/baskets/bundles",
        "/v1/popular",
        "/v1/feeds/{name}.json",
        "/v1/orders/{order_id}/follow-up",
        "/v1/events",
        "/v1/import/{vendor}",
        "/v1/customers/{customer_id}",
        "/v1/customers/{customer_id}/consent",
        "/v1/customers/{customer_id}/explain",
        "/v1/keys",
        "/v1/keys/{key_id}",
        "/v1/settings",
        "/v1/shops",
        "/v1/shops/{name}",
        "/v1/insights/overview",
        "/v1/insights/attribution",
        "/v1/insights/segments",
        "/v1/insights/cohorts",
        "/v1/insights/value",
        "/v1/insights/feedback",
        "/v1/insights/customers/{customer_id}",
        "/v1/trainings",
        "/v1/trainings/{name}/report",
        "/v1/customers/{customer_id}/unused",
        "/v1/customers/{customer_id}/profile",
        "/v1/customers/{customer_id}/export",
        "/v1/customers/{customer_id}/replenishment",
        "/v1/tokens",
        "/v1/products",
        "/v1/products/{product_id}",
        "/v1/rules",
        "/v1/rules/{rule_id}",
        "/v1/blocks",
        "/v1/blocks/preview",
        "/v1/blocks/{name}",
        "/v1/bundles",
        "/v1/bundles/{bundle_id}",
        "/v1/experiments",
        "/v1/experiments/{experiment_id}",
        "/v1/experiments/{experiment_id}/stop",
        "/v1/insights/experiments/{experiment_id}",
        "/v1/holdout",
        "/v1/audit",
        "/v1/models",
        "/v1/models/{version}",
        "/v1/models/{version}/activate",
        "/v1/models/rollback",
        "/v1/products/{product_id}/ratings",
        "/v1/rules/preview",
        "/v1/rules/cost",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def operations_of(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def schemas_of(openapi: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every schema with fields, also those that stand within another, and its place."""
    return [*find_schemas("components", openapi["components"]), *find_schemas("", openapi["paths"])]


def find_schemas(place: str, described: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(described, list):
        described = dict(enumerate(described))
    if isinstance(described, dict):
        if isinstance(described.get("properties"), dict):
            yield place, described
        for key, value in described.items():
            if key != "examples":
                yield from find_schemas(f"{place}/{key}", value)


def only_requires(schema: dict[str, Any]) -> bool:
    """Return whether a schema only says which fields of the one around it are needed."""
    return set(schema) == {"required", "properties"}


def test_every_call_has_a_sentence_that_says_what_it_does(openapi: dict[str, Any]) -> None:
    summaries = [operation["summary"] for _, operation in operations_of(openapi)]
    assert len(set(summaries)) == len(summaries)
    for name, operation in operations_of(openapi):
        assert re.match(r"[A-Z][a-z]+ \w+", operation["summary"]), name
        assert operation["description"].rstrip().endswith("."), name
        assert not operation["summary"].istitle(), name  # made of the name of a function


def test_every_group_of_calls_is_described(openapi: dict[str, Any]) -> None:
    described = {tag["name"] for tag in openapi["tags"] if tag["description"]}
    used = {tag for _, operation in operations_of(openapi) for tag in operation["tags"]}
    assert used == described


def test_every_parameter_says_what_it_means_and_has_an_example(openapi: dict[str, Any]) -> None:
    for name, operation in operations_of(openapi):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])
            assert parameter["schema"]["examples"], (name, parameter["name"])


def test_every_field_says_what_it_means_and_has_an_example(openapi: dict[str, Any]) -> None:
    for name, schema in schemas_of(openapi):
        shown = {field for example in schema.get("examples", []) for field in example}
        for field, described in schema["properties"].items():
            if not only_requires(schema):
                assert described.get("description"), (name, field)
                assert field in shown or described.get("examples"), (name, field)


def json_schema(openapi: dict[str, Any], described: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a body or an answer; None where it is no JSON."""
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or "$ref" not in schema:
        return schema
    return openapi["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]


def test_every_body_and_every_answer_has_an_example(openapi: dict[str, Any]) -> None:
    for name, operation in operations_of(openapi):
        stored = name in ("POST /v1/events", "POST /v1/import/{vendor}")
        answer = operation["responses"]["202" if stored else "200"]
        for described in (operation.get("requestBody", {}), answer):
            schema = json_schema(openapi, described)
            assert schema is None or schema["examples"], name


def test_every_example_is_what_its_schema_allows(openapi: dict[str, Any]) -> None:
    schemas = schemas_of(openapi)
    for name, schema in schemas_of(openapi):
        fields = schema["properties"].items()
        schemas += [(f"{name}/{field}", described) for field, described in fields]
    for name, operation in operations_of(openapi):
        parameters = operation.get("parameters", [])
        schemas += [(f"{name} {each['name']}", each["schema"]) for each in parameters]
    for name, schema in schemas:
        whole = {**schema, "components": openapi["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole)
        for example in schema.get("examples", []):
            assert validator.is_valid(example), (name, example)


def test_operations_keep_the_ids_by_which_clients_call_them(openapi: dict[str, Any]) -> None:
    ids = {operation["operationId"] for _, operation in operations_of(openapi)}
    assert ids == OPERATION_IDS


def test_every_word_an_answer_may_hold_is_described(openapi: dict[str, Any]) -> None:
    for words in (Strategy, Source, ReasonKind, ScoreKind, FallbackReason):
        assert openapi["components"]["schemas"][words.__name__]["enum"] == list(words)


def test_answers_and_problems_have_schemas_and_examples(openapi: dict[str, Any]) -> None:
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1"):
                assert "application/problem+json" in operation["responses"]["422"]["content"]
                stored = method == "post" and path in ("/v1/events", "/v1/import/{vendor}")
                assert {"202" if stored else "200", "401", "503"} <= set(operation["responses"])
    for name in ("SlateAnswer", "BundleAnswer", "ProblemBody", "SessionOptions", "BasketOptions"):
        assert openapi["components"]["schemas"][name]["examples"]


def test_every_call_describes_its_answer_and_whether_its_body_may_be_too_large(
    openapi: dict[str, Any],
) -> None:
    for name, operation in operations_of(openapi):
        responses = operation["responses"]
        (answer,) = {status for status in responses if status < "300"}
        assert answer in ("200", "202"), name
        media = responses[answer].get("content", {})
        assert all(each["schema"] for kind, each in media.items() if kind != "text/html"), name
        assert media or name == "GET /metrics", name
        assert ("413" in responses) == ("requestBody" in operation), name


def test_no_limit_changes_unnoticed(openapi: dict[str, Any]) -> None:
    stored = read_limits(Path(__file__).with_name("limits.txt"))
    assert sorted(set(limits_of(openapi))) == stored


def test_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    for name in re.findall(r"#/components/schemas/(\w+)", str(openapi)):
        assert name in openapi["components"]["schemas"]


def test_the_description_says_where_a_key_is_needed(openapi: dict[str, Any]) -> None:
    assert openapi["paths"]["/healthz"]["get"]["security"] == []
    assert openapi["paths"]["/v1/popular"]["get"]["security"] == [
        {"bearer": []},
        {"key": []},
        {"basic": []},
    ]


def test_an_empty_value_is_allowed_where_it_means_not_given(openapi: dict[str, Any]) -> None:
    parameters = openapi["paths"]["/v1/popular"]["get"]["parameters"]
    assert all(parameter["allowEmptyValue"] for parameter in parameters)
    properties = openapi["components"]["schemas"]["BasketOptions"]["properties"]
    assert {"enum": ["", None]} in properties["n"]["anyOf"]
    assert properties["basket"]["type"] == "array"


def test_an_event_is_described_and_anything_may_be_sent_in_its_place(
    openapi: dict[str, Any],
) -> None:
    items = openapi["components"]["schemas"]["EventsBody"]["properties"]["events"]["items"]
    assert items["anyOf"] == [{"$ref": "#/components/schemas/EventBody"}, {}]
