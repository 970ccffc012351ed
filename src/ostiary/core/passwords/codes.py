"""Owns the public error codes of password rules; each is also the code of one `Violation`."""

from typing import Final

from ostiary.kernel.errors import Code, code

PASSWORD_TOO_SHORT = code(
    "password_too_short",
    422,
    "The password is too short.",
    "It has fewer code points than the rules ask for, counted after Unicode normalisation (NFC).",
)
PASSWORD_TOO_LONG = code(
    "password_too_long",
    422,
    "The password is too long.",
    "It has more code points than are accepted; it was not hashed. No password is ever cut off.",
)
PASSWORD_INVALID_CHARACTERS = code(
    "password_invalid_characters",
    422,
    "The password contains characters that cannot be used.",
    "Control characters and lone surrogates are refused; any other Unicode character is welcome.",
)
PASSWORD_NEEDS_UPPER = code(
    "password_needs_upper",
    422,
    "The password needs an upper-case letter.",
    "The operator's composition rules ask for it.",
)
PASSWORD_NEEDS_LOWER = code(
    "password_needs_lower",
    422,
    "The password needs a lower-case letter.",
    "The operator's composition rules ask for it.",
)
PASSWORD_NEEDS_DIGIT = code(
    "password_needs_digit",
    422,
    "The password needs a digit.",
    "The operator's composition rules ask for it.",
)
PASSWORD_NEEDS_SYMBOL = code(
    "password_needs_symbol",
    422,
    "The password needs a symbol.",
    "The operator's composition rules ask for it; punctuation, symbols and spaces count.",
)
PASSWORD_COMMON = code(
    "password_common",
    422,
    "The password is too common.",
    "The whole password is on the list of common ones, perhaps thinly disguised. Choose another.",
)
PASSWORD_CONTAINS_CONTEXT = code(
    "password_contains_context",
    422,
    "The password is built from known facts.",
    "It consists mostly of the e-mail address, the person's name or the site's name.",
)
PASSWORD_REUSED = code(
    "password_reused",
    422,
    "The password was used before.",
    "It is one of the account's last `password_history` passwords, the present one among them. Choose another.",
)

PASSWORD_BREACHED = code(
    "password_breached",
    422,
    "The password is known from a data breach.",
    "It is among the breached passwords that the operator has new ones compared with (`breached_passwords`).",
)

VIOLATION_CODES: Final[dict[str, Code]] = {
    known.name: known
    for known in (
        PASSWORD_TOO_SHORT,
        PASSWORD_TOO_LONG,
        PASSWORD_INVALID_CHARACTERS,
        PASSWORD_NEEDS_UPPER,
        PASSWORD_NEEDS_LOWER,
        PASSWORD_NEEDS_DIGIT,
        PASSWORD_NEEDS_SYMBOL,
        PASSWORD_COMMON,
        PASSWORD_CONTAINS_CONTEXT,
        PASSWORD_BREACHED,
        PASSWORD_REUSED,
    )
}
