"""What an administrator sets for a notebook."""

from dataclasses import dataclass

from isthmus.spi import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookSettings:
    path: str = setting(label="File", help="One JSON object a line.", example="/srv/people.jsonl")
