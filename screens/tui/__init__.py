"""The live console: the app, its screens, panes and widgets."""
