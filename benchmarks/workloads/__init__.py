"""What is measured, a module each; they run in the environment of the contender.

``prepare(told)`` returns a function that does so many operations and answers with its figures.
*told* has ``server`` (host, port, user, password, dbname), ``peer``, ``database`` (the entry of
``DATABASES`` beside the server) and ``arguments`` of the workload.
"""
