"""`python -m ldaprepl`, and what the installed command calls.

Nothing is imported outside of `main`: a Ctrl-C that comes while the program is still being loaded ends it in words too.
"""


def main() -> None:
    """Load the program and run it; leaves the process with its exit code."""
    try:
        from ldaprepl.cli.main import main as begin

        begin()
    except KeyboardInterrupt:
        import sys

        print("ldaprepl: interrupted; nothing was decided.", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
