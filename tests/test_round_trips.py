"""What the server is sent, read along on the way: only what the site's code has asked for."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from django.db import transaction

from .models import Item
from .plugin_proxy import Proxy

PLAIN = {"sslmode": "disable", "gssencmode": "disable"}  # so that it can be read along


@pytest.fixture(params=["request", "transaction"])
def one(request: pytest.FixtureRequest, database: Any, proxy: Proxy) -> Any:
    """One idle connection, through the proxy."""
    one = database(proxy.settings, MAX_CONNS=1, RELEASE=request.param, **PLAIN)
    one.warm(1)
    return one


@pytest.fixture
def sent(one: Any, proxy: Proxy) -> Callable[[Callable[[], object]], list[str]]:
    """The statements that a request sends."""

    def sent(request: Callable[[], object]) -> list[str]:
        proxy.counts()
        request()
        one.connection.close()
        return proxy.counts().statements

    return sent


def test_a_request_with_one_query_sends_one_statement(one: Any, sent: Any) -> None:
    assert sent(lambda: one.query("SELECT 40 + 2")) == ["SELECT 40 + 2"]


def test_a_read_through_the_orm_is_one_statement(one: Any, sent: Any) -> None:
    (statement,) = sent(lambda: list(Item.objects.using(one.alias).filter(pk=42)))
    assert statement.startswith("SELECT")


def test_a_write_through_the_orm_is_one_statement(one: Any, sent: Any) -> None:
    (statement,) = sent(lambda: Item.objects.using(one.alias).filter(pk=42).update(name="x"))
    assert statement.startswith("UPDATE")


def test_atomic_adds_its_begin_and_its_commit(one: Any, sent: Any) -> None:
    def request() -> None:
        with transaction.atomic(one.alias):
            one.query("SELECT 1")
            one.query("SELECT 2")

    begin, *statements = sent(request)
    assert begin.startswith("BEGIN")
    assert statements == ["SELECT 1", "SELECT 2", "COMMIT"]


def test_a_request_without_a_query_sends_nothing(one: Any, sent: Any) -> None:
    def request() -> None:
        one.connection.ensure_connection()
        transaction.on_commit(lambda: None, using=one.alias)

    assert sent(request) == []


def test_two_queries_are_two_statements(one: Any, sent: Any) -> None:
    def request() -> None:
        one.query("SELECT 1")
        one.query("SELECT 2")

    assert sent(request) == ["SELECT 1", "SELECT 2"]
