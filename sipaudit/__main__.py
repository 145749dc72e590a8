"""`python -m sipaudit`: runs the command when its script is not on the PATH."""

import sys

from sipaudit.cli.main import main

sys.exit(main())
