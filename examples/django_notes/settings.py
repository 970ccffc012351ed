"""The project's settings: Django's as usual, and three lines for ostiary."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

# Where the data lies, and where browsers find this project. Links in mails and the origin check follow the URL.
DATA = Path(os.environ.get("NOTES_DATA", ".data-notes-django")).resolve()
URL = os.environ.get("NOTES_URL", "http://127.0.0.1:8000")
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

# The three lines. ostiary owns a database file of its own, and so does this project.
INSTALLED_APPS = ["ostiary.integrations.django", "examples.django_notes"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "ostiary.integrations.django.OstiaryMiddleware",
]
OSTIARY = {"database": f"sqlite:///{DATA / 'ostiary.db'}", "base_url": URL, "dev": True}
# Nothing here keeps anything in a session of Django's, so neither those nor its CSRF check for them are needed.

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "notes.db",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },  # several processes take turns at writing
    }
}
SECRET_KEY = os.environ.get("NOTES_SECRET_KEY") or get_random_secret_key()  # signs nothing that lasts, here
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "examples.django_notes.urls"
ASGI_APPLICATION = "examples.django_notes.asgi.application"
WSGI_APPLICATION = "examples.django_notes.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["ostiary.integrations.django.context.ostiary"]},
    }
]
APPEND_SLASH = False
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
