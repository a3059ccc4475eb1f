"""`python -m screens` is `vipconsole`."""

from screens.cli import main

raise SystemExit(main())
