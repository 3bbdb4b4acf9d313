"""Words: results as strings for people and programs. Nothing here prints."""
