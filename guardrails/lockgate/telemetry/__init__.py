"""Telemetry: every name (`names`), spans (`spans`), metrics (`metrics`), and how they leave (`exposition` for a scrape,
`export` for OpenTelemetry's protocol). Nothing here ever holds text of an exchange."""
