"""One row for each piece of work that was begun."""

from __future__ import annotations

from django.db import models


class Visit(models.Model):
    key = models.CharField(max_length=100, unique=True)
