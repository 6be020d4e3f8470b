"""`lockgate demo`: an embedded upstream, the proxy in front of it, the `openai` client, and scenes that show each."""
