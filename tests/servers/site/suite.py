"""Tests of the site, for Django's test runner and for pytest-django."""

from __future__ import annotations

import json
import threading
import urllib.request

from django.db import connection
from django.test import LiveServerTestCase, TestCase

from . import work
from .models import Visit


class OnALiveServer(LiveServerTestCase):
    def get(self, path: str) -> object:
        with urllib.request.urlopen(self.live_server_url + path, timeout=20) as response:
            return json.load(response)

    def test_requests_at_the_same_time_share_the_pool(self) -> None:
        paths = [f"/visit/?key={number}&seconds=0.05" for number in range(12)]
        threads = [threading.Thread(target=self.get, args=[path]) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(Visit.objects.count(), 12)
        print(f"the pool after the requests: {work.stats()}")
        self.assertEqual(connection.geventpool.stats().in_use, 1)  # that of this test

    def test_a_server_that_another_test_has_used_is_as_new(self) -> None:
        self.assertEqual(Visit.objects.count(), 0)
        self.get("/visit/?key=one")
        self.assertEqual(Visit.objects.count(), 1)


class InATransaction(TestCase):
    """Many, so that pytest-xdist gives some to each of its processes."""

    def look(self) -> None:
        Visit.objects.create(key="one")
        self.assertEqual(Visit.objects.count(), 1)

    test_a = test_b = test_c = test_d = test_e = test_f = test_g = test_h = look
