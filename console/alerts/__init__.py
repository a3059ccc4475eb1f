"""Tells somebody when a finding begins and when it ends: what is sent, and the doors through which it goes."""
