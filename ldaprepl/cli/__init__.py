"""Flags: one file a command. Parse, call one verb, render, return an exit code."""
