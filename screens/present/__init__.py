"""What panes show, made from values by pure functions: no widget, no terminal."""
