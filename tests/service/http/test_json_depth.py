"""Deeply nested bodies are refused before anything recursive reads them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.json_depth import DEEPEST, is_too_deep


def nested(depth: int) -> object:
    """Lists and objects by turns."""
    value: object = 1
    for level in range(depth):
        value = [value, []] if level % 2 and level < depth - 1 else {"a": value}
    return value


def depth_of(value: object) -> int:
    inside = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inside is None else 1 + max(map(depth_of, inside), default=0)


@pytest.mark.parametrize(
    ("depth", "refused"), [(1, False), (DEEPEST, False), (DEEPEST + 1, True), (100, True)]
)
def test_twenty_levels_are_enough(depth: int, refused: bool) -> None:
    assert depth_of(nested(depth)) == depth
    assert is_too_deep(orjson.dumps(nested(depth))) is refused


texts = st.text(alphabet='[]{}"\\a', max_size=5)
documents = st.recursive(
    texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=30
)


@given(documents, st.integers(0, 24))
def test_brackets_in_texts_do_not_count(document: object, around: int) -> None:
    for _ in range(around):
        document = ["]", document, '\\"[']
    assert is_too_deep(orjson.dumps(document)) is (depth_of(document) > DEEPEST)


@pytest.mark.parametrize("text", [b"[" * 1_000_000, b'[{"a":' * 100_000])
def test_what_never_ends_is_refused(text: bytes) -> None:
    assert is_too_deep(text)
