"""`python -m assay` is the command line; an interruption while it starts is one line, too.

Nothing else is imported before an interruption is awaited: the start of Python itself is all that
one can break into.
"""

import sys

__all__ = ["main"]

# New containers after which the collector of cycles looks; Python's 700 cost a start 25 ms.
YOUNG_OBJECTS = 200_000


def main() -> None:
    """Run the command line, which is imported here."""
    try:
        import gc

        gc.set_threshold(YOUNG_OBJECTS)
        from assay.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("assay: interrupted\n")
        sys.exit(130)
    finally:
        _ignore_interruptions()


def _ignore_interruptions() -> None:
    """All is done: an interruption of the end of the process would only hide its exit status."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
