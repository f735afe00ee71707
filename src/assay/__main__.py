"""`python -m assay` is the command line; an interruption while it starts is one line, too."""

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, which is imported here."""
    try:
        from assay.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("assay: interrupted\n")
        sys.exit(130)
    finally:
        # All is done: an interruption of the end of the process would only hide its exit status.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
