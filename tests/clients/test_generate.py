"""What the clients know of the API is what its OpenAPI document says."""

import regulars_client
from regulars_client import Call, calls
from regulars_client.client import Method, Methods

from clients.generate import CALLS, HERE, generate


def test_calls_options_and_answers_of_the_clients_are_those_of_the_document() -> None:
    """Otherwise: python -m clients.generate"""
    for path, content in generate().items():
        assert path.read_text("utf-8") == content, f"{path.relative_to(HERE)} is of another API"


def test_both_python_clients_have_every_call() -> None:
    methods = {name for name, value in vars(Methods).items() if isinstance(value, Method)}
    assert methods == set(CALLS)
    assert methods <= set(dir(regulars_client.Client)) & set(dir(regulars_client.AsyncClient))


def test_an_id_is_one_part_of_an_address_whatever_it_holds() -> None:
    assert calls.similar("a/b?c#d ä").path == "/v1/products/a%2Fb%3Fc%23d%20%C3%A4/similar"
    assert calls.product("..").path == "/v1/products/%2E%2E"


def test_what_may_be_done_twice_is_told_of_each_call() -> None:
    assert calls.report(events=[]).may_repeat
    assert calls.set_consent("c00", train=True).may_repeat
    assert not calls.change_product("milk", price=1.0).may_repeat
    assert not Call("POST", "/v1/keys").may_repeat
