"""The site with django-debug-toolbar."""
