"""`python -m assay` is the command line; an interruption while it starts is one line, too."""

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


if __name__ == "__main__":
    main()
