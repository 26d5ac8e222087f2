"""Splitting an output into tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.model.tokens import split_exactly, split_tokens


@given(text=st.text())
def test_the_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


@given(text=st.text(), count=st.integers(1, 50))
def test_splitting_into_an_exact_number_of_tokens_adds_only_spaces(text: str, count: int) -> None:
    tokens = split_exactly(text, count)
    assert len(tokens) == count
    assert all(tokens)
    assert "".join(tokens).rstrip(" ") == text.rstrip(" ")
