"""`isthmus demo --full`: people with everything RFC 7643 has, groups and devices, in a dozen tables."""
