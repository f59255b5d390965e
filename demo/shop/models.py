"""What the shop sells, and to whom."""

from __future__ import annotations

from django.db import models, transaction
from django.utils import timezone

#: Items that arrive when an order asks for more than there is: load must never run dry.
RESTOCK = 1000


class Category(models.Model):
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    #: Items ordered so far: kept here, so that best sellers need no look at every order.
    sold = models.PositiveIntegerField(default=0, editable=False)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        indexes = [
            models.Index(fields=["name"], name="product_name"),
            models.Index(fields=["-created"], name="product_newest"),
            models.Index(fields=["-sold"], name="product_best_seller"),
        ]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    customer = models.CharField(max_length=100, default="guest")
    placed = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-placed"]
        indexes = [models.Index(fields=["-placed"], name="order_newest")]

    def __str__(self) -> str:
        return f"order {self.pk} of {self.customer}"


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    quantity = models.PositiveIntegerField()
    #: Of one item, on the day of the order.
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


@transaction.atomic
def place_order(product_id: int, quantity: int) -> OrderLine:
    """Take *quantity* items off the stock; two orders of one product wait for each other.

    :raises Product.DoesNotExist: if nothing has that id.
    """
    product = Product.objects.select_for_update().get(pk=product_id)
    if product.stock < quantity:
        product.stock += RESTOCK
    product.stock -= quantity
    product.sold += quantity
    product.save(update_fields=["stock", "sold"])
    order = Order.objects.create()
    return OrderLine.objects.create(
        order=order, product=product, quantity=quantity, price=product.price
    )
