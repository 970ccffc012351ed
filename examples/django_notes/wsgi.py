"""For servers such as gunicorn: ``gunicorn examples.django_notes.wsgi --preload --workers 4``."""

import os

from django.core.wsgi import get_wsgi_application

from ostiary.integrations.django import wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_notes.settings")
application = wsgi(get_wsgi_application())
