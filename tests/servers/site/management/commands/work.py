"""``manage.py work``: a command that takes its time in the database."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandParser

from ... import work


class Command(BaseCommand):
    help = "Asks the database something that takes so many seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("seconds", type=float)

    def handle(self, seconds: float, **options: Any) -> None:
        work.stay(seconds)
        self.stdout.write(f"the pool: {work.stats()}")
