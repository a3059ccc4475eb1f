"""`python -m screens` is `vipconsole`."""

from screens.cli.main import main

raise SystemExit(main())
