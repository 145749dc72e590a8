"""`python -m sipaudit`: the command where its script is not on the path."""

import sys

from sipaudit.cli.main import main

sys.exit(main())
