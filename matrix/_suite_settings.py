"""Settings for Django's own suite on PostgreSQL; see ``matrix.djangosuite``."""

import json
import os

from django_db_geventpool.drivers import cffi
from matrix.postgres import parse_url

cffi.install()  # for Django's own engine; ours does it by itself

_server = parse_url(os.environ["DATABASE_URL"])
_name = os.environ["DJANGOSUITE_DATABASE"]
_options = json.loads(os.environ["DJANGOSUITE_OPTIONS"])
_where = {"ENGINE": os.environ["DJANGOSUITE_ENGINE"], **_server.django, "OPTIONS": _options}

DATABASES = {
    "default": {**_where, "TEST": {"NAME": _name}},
    "other": {**_where, "TEST": {"NAME": f"{_name}_other"}},
}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "matrix._suite_runner.RecordingRunner"
