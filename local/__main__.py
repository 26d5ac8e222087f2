"""`python -m local`: starts the stack, prints its URLs, and stays up until Ctrl-C."""

from __future__ import annotations

import contextlib
import threading

from local.stack import LocalStack


def main() -> None:
    """Run until interrupted."""
    with contextlib.suppress(KeyboardInterrupt), LocalStack() as stack:
        for name in ("api_url", "stream_url", "issuer_url", "model_url", "aws_url"):
            print(f"{name.removesuffix('_url'):8}{getattr(stack, name)}")
        threading.Event().wait()


if __name__ == "__main__":
    main()
