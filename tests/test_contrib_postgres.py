"""The fields of django.contrib.postgres, with whatever driver there is: values come back equal."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import django
import pytest
from django.contrib.postgres.aggregates import ArrayAgg, JSONBAgg
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    ArrayField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    HStoreField,
    IntegerRangeField,
)
from django.contrib.postgres.search import SearchVector
from django.contrib.postgres.serializers import RangeSerializer
from django.contrib.postgres.signals import register_type_handlers
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, models
from django.db.backends.postgresql.psycopg_any import (
    DateRange,
    DateTimeTZRange,
    NumericRange,
    errors,
)
from django.db.backends.signals import connection_created
from django.db.migrations.writer import MigrationWriter

from .tasks import spawn

UTC = datetime.timezone.utc


class Record(models.Model):
    numbers = ArrayField(models.IntegerField(null=True), null=True)
    table = ArrayField(ArrayField(models.IntegerField()), null=True)
    texts = ArrayField(models.TextField(null=True), default=list)
    moments = ArrayField(models.DateTimeField(), null=True)
    addresses = ArrayField(models.GenericIPAddressField(), null=True)
    documents = ArrayField(models.JSONField(), null=True)
    whole = IntegerRangeField(null=True)
    exact = DecimalRangeField(null=True)
    days = DateRangeField(null=True)
    period = DateTimeRangeField(null=True)
    ranges = ArrayField(IntegerRangeField(), null=True)
    pairs = HStoreField(null=True)
    document = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    lasted = models.DurationField(null=True)

    class Meta:
        app_label = "records"  # not installed: its table is made where hstore is
        constraints = [
            ExclusionConstraint(name="apart", expressions=[("days", "&&")], index_type="GIST")
        ]

    def __str__(self) -> str:
        return f"record {self.pk}"


@pytest.fixture
def records(database: Any) -> Iterator[Any]:
    """The records of one database, whose connections know hstore as with Django's own app."""
    one = database(MAX_CONNS=2)
    one.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    connection_created.connect(register_type_handlers)
    one.connection.close()
    with one.connection.schema_editor() as editor:
        editor.create_model(Record)
    try:
        yield Record.objects.using(one.alias)
    finally:
        connection_created.disconnect(register_type_handlers)
        with one.connection.schema_editor() as editor:
            editor.delete_model(Record)


MOMENT = datetime.datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC)
DAY = datetime.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("numbers", []),
        ("numbers", [1, -2, None]),
        ("table", [[1, 2], [3, 4]]),
        ("texts", ["", "null", "NULL", None]),
        ("texts", ['a "quoted" one', "back\\slash", "a, comma", "{braces}", "two\nlines"]),
        ("texts", ["Größe", "日本", "it's", "100%"]),
        ("moments", [MOMENT, MOMENT + datetime.timedelta(days=200)]),
        ("addresses", ["127.0.0.1", "2001:db8::1"]),
        ("documents", [{"a": [1, None]}, "text", 3]),
        ("whole", NumericRange(1, 10)),
        ("whole", NumericRange(-5, None)),
        ("whole", NumericRange(empty=True)),
        ("exact", NumericRange(Decimal("-0.10"), Decimal("12.345"), "(]")),
        ("days", DateRange(DAY, None)),
        ("period", DateTimeTZRange(MOMENT, MOMENT + datetime.timedelta(hours=1), "[]")),
        ("ranges", [NumericRange(1, 2), NumericRange(None, 9, "()")]),
        ("pairs", {}),
        ("pairs", {"a": "b", "nothing": None, "": "empty", "Größe": 'say "hi", it\'s \\ that'}),
        ("document", {"text": "Größe ☃ \\ ' \" %s", "list": [1, 2.5, None, True], "none": {}}),
        ("document", "null"),
        ("lasted", datetime.timedelta(microseconds=1)),
        ("lasted", datetime.timedelta(days=-1, seconds=5, microseconds=20)),
    ],
)
def test_a_value_comes_back_equal(records: Any, field: str, value: Any) -> None:
    record = records.create(**{field: value})
    assert getattr(records.get(pk=record.pk), field) == value
    # On another connection, in another greenlet, as well.
    assert spawn(records.values_list(field, flat=True).get).result() == value


def test_values_are_found(records: Any) -> None:
    records.create(
        numbers=[1, 2, 3],
        texts=["a", "null"],
        whole=NumericRange(1, 10),
        period=DateTimeTZRange(MOMENT, None),
        pairs={"colour": "red"},
        document={"deep": {"list": [1, {"x": "y"}]}},
    )
    found = {
        "numbers__contains": [2, 1],
        "numbers__overlap": [9, 3],
        "numbers__len": 3,
        "numbers__0": 1,
        "numbers__0_2": [1, 2],
        "texts__contained_by": ["a", "b", "null"],
        "whole__contains": 9,
        "whole__overlap": NumericRange(9, 20),
        "whole__fully_lt": NumericRange(10, 20),
        "whole__startswith": 1,
        "period__contains": MOMENT,
        "pairs__colour": "red",
        "pairs__has_key": "colour",
        "pairs__contains": {"colour": "red"},
        "document__deep__list__1__x": "y",
        "document__contains": {"deep": {}},
        "document__has_key": "deep",
    }
    for lookup, value in found.items():
        assert records.filter(**{lookup: value}).count() == 1, lookup


def test_aggregates_and_text_search(records: Any) -> None:
    records.bulk_create([Record(numbers=[number], texts=["some words"]) for number in (1, 2)])
    records.update(lasted=datetime.timedelta(seconds=90))
    assert sorted(records.aggregate(all=ArrayAgg("numbers__0"))["all"]) == [1, 2]
    assert sorted(records.aggregate(all=JSONBAgg("numbers"))["all"]) == [[1], [2]]
    assert records.aggregate(sum=models.Sum("lasted"))["sum"] == datetime.timedelta(seconds=180)
    assert records.annotate(found=SearchVector("texts")).filter(found="words").count() == 2


def test_a_model_with_ranges_is_validated_and_its_constraint_holds(records: Any) -> None:
    record = Record(days=DateRange(DAY, DAY + datetime.timedelta(days=2)), texts=["x"])
    others = {field.name for field in Record._meta.fields} - {"days", "texts"}
    record.clean_fields(exclude=others)  # which compares each value with empty ones
    record.save(using=records.db)
    with pytest.raises(IntegrityError) as caught:
        records.create(days=DateRange(DAY, None))
    assert isinstance(caught.value.__cause__, errors.ExclusionViolation)


@pytest.mark.skipif(
    django.VERSION[:2] == (5, 0) and not isinstance(functools._lru_cache_wrapper, type),
    reason="Django 5.0 takes it for a class, which it is not on PyPy: "
    "https://github.com/django/django/blob/5.0/django/db/migrations/serializer.py",
)
def test_a_migration_says_where_a_range_is_found() -> None:
    MigrationWriter.register_serializer(NumericRange, RangeSerializer)
    try:
        text, imports = MigrationWriter.serialize(NumericRange(1, 2))
    finally:
        MigrationWriter.unregister_serializer(NumericRange)
    names: dict[str, Any] = {}  # as in the file that makemigrations writes
    exec("\n".join(imports), names)
    assert eval(text, names) == NumericRange(1, 2)
