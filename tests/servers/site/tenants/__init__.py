"""The site for several tenants: django-tenants on top of the engine."""
