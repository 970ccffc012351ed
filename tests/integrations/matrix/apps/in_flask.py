"""The matrix's application in Flask."""

from itertools import count

from flask import Blueprint, Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from ostiary.integrations.flask import (
    Ostiary,
    current_user,
    guarded,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    signed_in,
)
from tests.integrations.matrix.subjects import PUBLIC, ROLES

notes: dict[str, dict[str, str]] = {}
numbers = count(1)
auth = Ostiary.from_env(roles=ROLES)
app = Flask(__name__)
auth.init_app(app)
guarded(app, public=PUBLIC)
api = Blueprint("api", __name__, url_prefix="/api")


def fine(**_: str) -> Response:
    """Whoever gets here is told so."""
    return Response("fine", mimetype="text/plain")


@api.get("/me")
def me() -> ResponseReturnValue:
    """Asking is a guard."""
    return {"id": current_user.id, "email": current_user.email}


@api.get("/notes")
@signed_in
def mine() -> ResponseReturnValue:
    """One's own."""
    return [note for note in notes.values() if note["owner"] == current_user.id]


@api.post("/notes")
@signed_in
async def write() -> ResponseReturnValue:
    """Write one."""
    note = {"id": str(next(numbers)), "owner": current_user.id, "words": request.get_json()["words"]}
    notes[note["id"]] = note
    return note, 201


@api.get("/notes/<number>")
def one(number: str) -> ResponseReturnValue:
    """One's own, or nothing."""
    note = notes.get(number)
    if current_user.id != (note or {}).get("owner"):
        return jsonify(detail="no such note"), 404
    return note or {}


@api.post("/form")
@signed_in
def form() -> ResponseReturnValue:
    """Reads the form that the guard may have read before."""
    return Response(request.form["words"], mimetype="text/plain")


for path, guard in {
    "/reports": requires("reports:read"),
    "/staff": requires_role("editor"),
    "/fresh": requires_fresh(15),
    "/limited": rate_limit("3/h"),
    "/own-limit": rate_limit("2/h", by="account"),
}.items():
    api.add_url_rule(path, path.strip("/"), guard(fine))
app.register_blueprint(api)
app.add_url_rule("/", "home", fine)
app.add_url_rule("/inside/<path:rest>", "inside", fine)
