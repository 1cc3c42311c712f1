from runtime.console import main

raise SystemExit(main())
