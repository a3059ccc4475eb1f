"""What snapshots mean. Pure, its waiter aside: values in, findings, causes and verdicts out."""
