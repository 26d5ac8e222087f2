"""The API on this machine: the gateway, the streaming function, the token issuer and a client."""
