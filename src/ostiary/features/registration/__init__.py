"""Registration: an address and a password, or a passkey, become an account that must still prove its address.

The answer, its cost and the mail that follows are the same whether the address is new, unproven or taken: the owner
of a taken address gets a mail that says so, and nobody else learns it.

    POST /auth/register           202, and a mail
    POST /auth/register/options   what a browser needs to make a passkey in place of a password
    GET, POST /signup, /signup/passkey   the same as a page; it leads to the page for the code, where that rib is there
"""
