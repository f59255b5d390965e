from __future__ import annotations

from django.contrib import admin

from .models import Category, Order, OrderLine, Product


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    search_fields = ["name"]


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "category", "price", "stock", "sold", "created"]
    list_editable = ["price", "stock"]
    list_filter = ["category"]
    list_select_related = ["category"]
    search_fields = ["name"]
    autocomplete_fields = ["category"]
    readonly_fields = ["sold"]
    date_hierarchy = "created"


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    autocomplete_fields = ["product"]
    extra = 1


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["id", "customer", "placed"]
    search_fields = ["customer", "lines__product__name"]
    date_hierarchy = "placed"
    inlines = [OrderLineInline]
