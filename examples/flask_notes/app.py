"""A small notes application. ostiary registers people and signs them in; everything about notes is here.

make notes-flask, or: flask --app examples.flask_notes.app run --port 8000, or: gunicorn examples.flask_notes.app:app
"""

import logging
import os
import secrets  # noqa: TID251 - only ostiary itself takes chance from its World
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, g, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from examples.flask_notes.store import Note, Notes
from ostiary.integrations.flask import (
    Ostiary,
    Policy,
    Role,
    current_principal,
    current_standing,
    current_user,
    guarded,
    principal,
    requires,
    requires_fresh,
    row,
    signed_in,
)

log = logging.getLogger(__name__)

# Where the data lies, and where browsers find this application. Links in mails and the origin check follow the URL.
DATA = Path(os.environ.get("NOTES_DATA", ".data-notes-flask"))
URL = os.environ.get("NOTES_URL", "http://127.0.0.1:8000")
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

# ostiary owns a database file of its own, and so does this application. It starts with the first request.
auth = Ostiary(
    database=f"sqlite:///{DATA / 'ostiary.db'}",
    base_url=URL,
    dev=True,
    # Authors may do everything with their own notes. Keepers may with everybody's; make one of somebody with
    # flask --app examples.flask_notes.app ostiary roles grant mira@example.com keeper
    roles=[Role("keeper", ("notes:*",), doc="Keeps everybody's notes in order.")],
    policies=[
        Policy("notes:read", row.author_id == principal.id, "authors read their own notes"),
        Policy("notes:delete", row.author_id == principal.id, "authors delete their own notes"),
    ],
)
notes = Notes(DATA / "notes.db")
pages = Blueprint("pages", __name__)
api = Blueprint("api", __name__, url_prefix="/api/notes")
guarded(api)  # every route of the API: 401 before anything is loaded, and 403 without the CSRF token


def create_app() -> Flask:
    """The application."""
    app = Flask(__name__)
    notes.prepare()
    auth.init_app(app)
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.before_request(new_nonce)
    app.after_request(with_policy)
    return app


def new_nonce() -> None:
    """For the one style sheet inside of pages."""
    g.nonce = secrets.token_urlsafe(16)


def with_policy(response: Response) -> Response:
    """Pages load nothing, run nothing, and send their forms to this application alone."""
    response.headers["content-security-policy"] = (
        f"default-src 'none'; style-src 'nonce-{g.nonce}'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    response.headers["cache-control"] = "no-store"
    return response


# Pages: forms that work without a script. Browsers that are not signed in are led to the sign-in page and back.


@pages.get("/")
def welcome() -> ResponseReturnValue:
    """What everybody sees; templates know `optional_user` and `csrf_token()`."""
    return render_template("welcome.html")


@pages.get("/notes")
@signed_in
def overview() -> ResponseReturnValue:
    """My notes."""
    return render_template(
        "notes.html", notes=notes.of(current_user.id), is_keeper=current_standing.check("notes:read")
    )


@pages.post("/notes")
@signed_in
def write_by_form() -> ResponseReturnValue:
    """Write a note. The guard has looked for the CSRF token in the form."""
    title, body = request.form.get("title", ""), request.form.get("body", "")
    write(title, body)
    return redirect("/notes", 303)


@pages.post("/notes/<note_id>/delete")
@signed_in
def delete_by_form(note_id: str) -> ResponseReturnValue:
    """Delete a note: one's own, or as keeper anybody's."""
    delete(note_id)
    return redirect("/notes/all" if request.form.get("back") == "all" else "/notes", 303)


@pages.get("/notes/all")
@requires("notes:read")  # in general, so for keepers: a policy about one's own notes is not enough
def everybodys() -> ResponseReturnValue:
    """Everybody's notes."""
    return render_template("all.html", notes=notes.all())


@pages.route("/notes/clear", methods=["GET", "POST"])
@requires_fresh(15)  # should the computer have been left unlocked: sign in again, and come back here
def clear() -> ResponseReturnValue:
    """Ask, then delete all my notes."""
    if request.method == "GET":
        return render_template("clear.html")
    delete_all()
    return redirect("/notes", 303)


# The API, for scripts and programs, with the same rules.


@api.get("")
def list_notes() -> ResponseReturnValue:
    """My notes, the newest first."""
    return jsonify(notes.of(current_user.id))


@api.post("")
def write_note() -> ResponseReturnValue:
    """Write a note."""
    draft = request.get_json()
    if not isinstance(draft, dict) or not draft.keys() <= {"title", "body"}:
        abort(422, "A note has a title and a body; its author is nobody's to choose.")
    return jsonify(write(draft.get("title", ""), draft.get("body", ""))), 201


@api.get("/<note_id>")
def read_note(note_id: str) -> ResponseReturnValue:
    """Read a note."""
    return jsonify(find(note_id, "notes:read"))


@api.delete("/<note_id>")
def delete_note(note_id: str) -> ResponseReturnValue:
    """Delete a note."""
    delete(note_id)
    return "", 204


@api.delete("")
@requires_fresh(15)
def delete_all_notes() -> ResponseReturnValue:
    """Delete all my notes; only within 15 minutes of signing in."""
    return jsonify(deleted=delete_all())


# What both do.


def find(note_id: str, permission: str) -> Note:
    """A note with which the caller may do this. Otherwise it is 404 and not 403, so that ids tell nothing."""
    note = notes.one(note_id)
    if note is None or not current_standing.check(permission, note):
        abort(404, "There is no such note.")
    return note


def write(title: object, body: object) -> Note:
    """Keep a note of the caller's."""
    if (
        not isinstance(title, str)
        or not isinstance(body, str)
        or not 0 < len(title) <= 200
        or len(body) > 20_000
    ):
        abort(422, "A title of 1 to 200 characters, and at most 20,000 of text.")
    return notes.write(current_user.id, title, body)


def delete(note_id: str) -> None:
    """Delete a note that the caller may delete."""
    notes.delete(find(note_id, "notes:delete").id)


def delete_all() -> int:
    """Delete all notes of the caller's."""
    count = notes.delete_all(current_user.id)
    log.info(
        "%s, signed in by %s, deleted all %d notes", current_user.id, "+".join(current_principal.amr), count
    )
    return count


app = create_app()
