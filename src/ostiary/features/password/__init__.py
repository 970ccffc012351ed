"""Password: its owner changes it, or chooses a new one by a link from a mail; the last ones are not used again.

A reset ends every session, whatever was half done and the account's lock, and never signs in: a second factor is asked
for as before. Asking for a link answers the same, at the same cost, whatever the address is; following it spends
nothing. Whoever resets proves the mailbox, and what was set up before the first proof counts for nothing.

    POST /auth/password/forgot         {email}: 202 for every address, and a mail where somebody may use it
    POST /auth/password/reset          {token, new_password}
    POST /auth/password/change         {current_password?, new_password}: right password, or a fresh sign-in
    GET, POST /recover                 ask for the mail; then /recover/sent
    GET, POST /recover/reset           the page behind the link; then /recover/done
    GET, POST /account/password        change it, or set the first one

    ostiary users reset-password       an operator has the mail sent, and chooses nothing
"""
