"""Makes the table."""

import django.utils.timezone
from django.db import migrations, models

import examples.django_notes.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=examples.django_notes.models.new_id,
                        max_length=32,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("author_id", models.TextField(db_index=True)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True, max_length=20000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ("-created_at",),
            },
        ),
    ]
