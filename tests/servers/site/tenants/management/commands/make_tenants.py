"""``manage.py make_tenants NAME ...``: tenants, each with its schema and its domain."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandParser

from ...models import Domain, Tenant


class Command(BaseCommand):
    help = "Makes tenants, with their schemas and their domains."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="+")

    def handle(self, names: list[str], **options: Any) -> None:
        for name in names:
            tenant = Tenant.objects.create(schema_name=name)
            Domain.objects.create(domain=f"{name}.localhost", tenant=tenant, is_primary=True)
