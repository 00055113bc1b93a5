"""The package beside this file is a project of its own; its tests run where it is installed."""

collect_ignore = ["isthmus-notebook"]
