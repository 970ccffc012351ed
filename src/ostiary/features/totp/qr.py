"""Owns the QR code of an enrolment: a picture that needs no other file and no script."""

from io import BytesIO

from ostiary.kernel.secret import Secret


def qr_svg(uri: Secret) -> str:
    """The URI as an SVG element: black on white in light and dark, with the quiet zone that cameras need."""
    import segno  # slow to import, and seldom needed

    out = BytesIO()
    segno.make(uri.reveal(), error="m", micro=False, boost_error=False).save(
        out,
        kind="svg",
        xmldecl=False,
        nl=False,
        omitsize=True,
        border=4,
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
    )
    return out.getvalue().decode()
