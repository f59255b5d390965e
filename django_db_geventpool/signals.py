"""Signals of the pool's own; Django's ``connection_created`` is sent at each checkout."""

from django.dispatch import Signal

#: A physical connection has been opened and set up, or has been set up again after
#: ``RESET="discard"``: the place for what a site wants in each session (``SET ...``). Sent before
#: anybody borrows it, in a greenlet of the pool's; ``connection`` is a wrapper made for it. What is
#: raised here is the error of whoever waits for the connection.
connection_opened = Signal()
