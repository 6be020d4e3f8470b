"""Policies: what their files say (`schema`, `suite`), how those are read (`document`, `load`, `locate`, `problems`),
and the conditions in them (`conditions`, `expression`)."""
