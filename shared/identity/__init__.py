"""Find out who a client is: by a token of the issuer, or by a ticket that was issued here."""
