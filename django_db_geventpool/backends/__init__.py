"""The engines. Each imports Django's own, and that a driver: what stands in for one comes first."""

from ..drivers import cffi

cffi.install()
