"""The project's paths; ostiary's are beside them."""

from django.urls import path

from examples.django_notes import views

urlpatterns = [
    path("", views.welcome),
    path("notes", views.overview),
    path("api/notes", views.Notes.as_view()),
    path("api/notes/<str:note_id>", views.OneNote.as_view()),
]
