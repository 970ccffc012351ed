"""For servers such as uvicorn: ``uvicorn examples.django_notes.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

from ostiary.integrations.django import asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_notes.settings")
application = asgi(get_asgi_application())
