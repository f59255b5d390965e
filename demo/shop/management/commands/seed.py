"""Fills the shop: the same goods each time, and nothing twice."""

from __future__ import annotations

import random
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from demo.shop.models import Category, Order, OrderLine, Product

BATCH = 100
BAR_WIDTH = 30
CATEGORIES = ("Bags", "Desk", "Garden", "Kitchen", "Lighting", "Outdoor", "Toys", "Workshop")
QUALITIES = ("Blue", "Copper", "Folding", "Green", "Heavy", "Little", "Oak", "Plain", "Quiet")
THINGS = ("box", "cup", "kettle", "ladder", "lamp", "lantern", "shelf", "stool", "tray", "wagon")
CUSTOMERS = ("Amira", "Bruno", "Chiara", "Dmitri", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jun")


class Command(BaseCommand):
    help = "Fill the shop with products and orders, up to the numbers asked for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=int, default=500, metavar="N")
        parser.add_argument("--orders", type=int, default=1000, metavar="N")

    @transaction.atomic
    def handle(self, *args: Any, products: int, orders: int, **options: Any) -> None:
        self.random = random.Random(1)
        self.add_products(products)
        if self.add_orders(orders):
            self.count_sold()
        self.add_superuser()

    def add_products(self, wanted: int) -> None:
        Category.objects.bulk_create([Category(name=n) for n in CATEGORIES], ignore_conflicts=True)
        categories = list(Category.objects.filter(name__in=CATEGORIES))
        for numbers in self.batches("products", Product.objects.count(), wanted):
            Product.objects.bulk_create(
                Product(
                    category=self.random.choice(categories),
                    name=f"{self.random.choice(QUALITIES)} {self.random.choice(THINGS)} {number}",
                    price=Decimal(self.random.randint(100, 20_000)) / 100,
                    stock=self.random.randint(0, 300),
                    created=self.past_year(),
                )
                for number in numbers
            )

    def add_orders(self, wanted: int) -> bool:
        """Whether there were any to add."""
        existing = Order.objects.count()
        products = list(Product.objects.all())
        if not products:
            return False
        for numbers in self.batches("orders", existing, wanted):
            orders = Order.objects.bulk_create(
                Order(customer=self.random.choice(CUSTOMERS), placed=self.past_year())
                for _ in numbers
            )
            OrderLine.objects.bulk_create(
                OrderLine(
                    order=order,
                    product=product,
                    quantity=self.random.randint(1, 5),
                    price=product.price,
                )
                for order in orders
                for product in self.random.choices(products, k=self.random.randint(1, 4))
            )
        return wanted > existing

    def count_sold(self) -> None:
        lines = OrderLine.objects.filter(product=OuterRef("pk")).values("product")
        total = lines.annotate(total=Sum("quantity")).values("total")
        Product.objects.update(sold=Coalesce(Subquery(total), 0))

    def add_superuser(self) -> None:
        users = get_user_model().objects
        if users.filter(username="admin").exists():
            self.stdout.write("superuser: admin exists already")
        else:
            users.create_superuser("admin", "admin@example.org", "admin")
            self.stdout.write("superuser: created admin, password admin")

    def past_year(self) -> datetime:
        return timezone.now() - timedelta(minutes=self.random.randrange(365 * 24 * 60))

    def batches(self, what: str, existing: int, wanted: int) -> Iterator[range]:
        """The numbers of the rows to add, some at a time, telling how far it is."""
        if existing >= wanted:
            self.stdout.write(f"{what}: {existing} exist already, nothing to add")
            return
        for first in range(existing + 1, wanted + 1, BATCH):
            last = min(first + BATCH - 1, wanted)
            yield range(first, last + 1)
            self.draw_bar(what, last, wanted)
        self.stdout.write(f"{what}: added {wanted - existing}, now {wanted}")

    def draw_bar(self, what: str, done: int, wanted: int) -> None:
        if not self.stdout.isatty():
            return
        bar = ("#" * (BAR_WIDTH * done // wanted)).ljust(BAR_WIDTH, ".")
        end = "\r" if done < wanted else "\r\033[K"
        self.stdout.write(f"\r{what:9} [{bar}] {done}/{wanted}", ending=end)
        self.stdout.flush()
