"""A table for the tests that go through the ORM."""

from __future__ import annotations

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    data = models.JSONField(default=dict)
    made = models.DateTimeField(null=True)
