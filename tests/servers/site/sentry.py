"""Settings: the site with Sentry, which writes into the log what it would send."""

from __future__ import annotations

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

from .settings import *  # noqa: F403


class Log(Transport):
    """A line for each event or transaction, in JSON."""

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            print("sent:", item.get_bytes().decode(), flush=True)


sentry_sdk.init(
    dsn="http://key@127.0.0.1/1",
    transport=Log,
    integrations=[DjangoIntegration()],
    traces_sample_rate=1.0,
    include_local_variables=True,
    send_default_pii=True,
)
