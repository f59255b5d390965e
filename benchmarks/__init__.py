"""What the pool costs, beside its peers and beside what limits them all.

``python -m benchmarks`` (``tox -e bench``) starts a server and, for each contender of a race, a
process in an environment of its own: ``worker`` and ``workloads`` run there, and know nothing of
the rest. The contenders take turns, so that what disturbs one disturbs its neighbours too.
"""
