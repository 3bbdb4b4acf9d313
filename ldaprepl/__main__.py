"""`python -m ldaprepl`."""

from ldaprepl.cli.main import main

main()
