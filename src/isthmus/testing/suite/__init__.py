"""The tests, one class for each subject; `ConnectorConformance` joins them."""
