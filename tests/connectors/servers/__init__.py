"""Private database servers for tests: started unprivileged, on a free port, in a temporary folder."""
