"""The site with django-prometheus, and an ENGINE of the site's own (``base.py``)."""
