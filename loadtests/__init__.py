"""A Locust suite that loads the demo site and judges the pool as the server sees it.

``python -m loadtests`` brings its own server and site; ``locust -f loadtests/`` loads a site that
runs already, on the database that ``DATABASE_URL`` names.
"""
