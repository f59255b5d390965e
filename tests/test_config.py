from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_db_geventpool.config import PoolConfig, hide_secrets


def read(**settings: Any) -> PoolConfig:
    return PoolConfig.from_settings("default", settings)


def test_without_options_the_documented_defaults_hold() -> None:
    assert read() == PoolConfig(max_conns=4, reuse_conns=4, wait_timeout=30.0, hub=None)


def test_reuse_conns_falls_back_to_max_conns() -> None:
    assert read(OPTIONS={"MAX_CONNS": 20}).reuse_conns == 20


def test_the_drivers_own_options_are_left_to_the_driver() -> None:
    read(OPTIONS={"sslmode": "require", "application_name": "shop", "connect_timeout": 3})


def test_the_falsy_pool_option_that_the_public_package_asked_for_is_accepted() -> None:
    read(OPTIONS={"pool": False})
    read(OPTIONS={"pool": None})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("MAX_CONNS", 0),
        ("MAX_CONNS", -1),
        ("MAX_CONNS", "20"),
        ("MAX_CONNS", 2.5),
        ("MAX_CONNS", True),
        ("MAX_CONNS", None),
        ("REUSE_CONNS", -1),
        ("REUSE_CONNS", "1"),
        ("REUSE_CONNS", 5),  # above MAX_CONNS, which is 4
        ("WAIT_TIMEOUT", -0.1),
        ("WAIT_TIMEOUT", "30"),
        ("WAIT_TIMEOUT", float("nan")),
        ("WAIT_TIMEOUT", float("inf")),
        ("WAIT_TIMEOUT", True),
        ("LEAK_THRESHOLD", -1),
        ("LEAK_THRESHOLD", "60"),
        ("HUB", "asyncio"),
        ("RESET", "all"),
        ("RELEASE", "statement"),
        ("RELEASE", None),
        ("MAX_CONS", 20),  # misspelt
        ("max_conns", 20),
        ("Reuse_Conns", 2),
        ("pool", True),
        ("pool", {"min_size": 2}),
    ],
)
def test_a_bad_option_is_refused_by_name_and_value(option: str, value: object) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(OPTIONS={option: value})
    message = str(caught.value)
    assert f"DATABASES['default']: OPTIONS['{option}'] is {value!r}; accepted is " in message


def test_a_misplaced_password_is_not_quoted() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"OPTIONS\['PASSWORD'\] is '\*+'"):
        read(OPTIONS={"PASSWORD": "hunter2"})


@pytest.mark.parametrize("max_age", [60, None, True, -1])
def test_persistent_connections_are_refused(max_age: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"CONN_MAX_AGE is .*; accepted is 0"):
        read(CONN_MAX_AGE=max_age)


def test_zero_waiting_and_zero_reuse_are_values_and_none_waits_for_ever() -> None:
    assert read(OPTIONS={"WAIT_TIMEOUT": 0, "REUSE_CONNS": 0}).reuse_conns == 0
    assert read(OPTIONS={"WAIT_TIMEOUT": None}).wait_timeout is None


def test_what_is_secret_is_used_and_not_shown() -> None:
    hidden = hide_secrets(
        {"PASSWORD": "open sesame", "OPTIONS": {"password": None, "sslpassword": "sesame"}}
    )
    assert "sesame" not in repr(hidden)
    assert (hidden["PASSWORD"], hidden["OPTIONS"]["sslpassword"]) == ("open sesame", "sesame")
    assert hidden["OPTIONS"]["password"] is None  # then libpq looks for it elsewhere
