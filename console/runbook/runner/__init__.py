"""The process that works on a run. `python -m console.runbook.runner FOLDER` starts one in the foreground."""
