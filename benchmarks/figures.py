"""One measured ratio, and the page that keeps them."""

from __future__ import annotations

import math
import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Figure:
    """A ratio with its goal; not a number (nan) where it was not measured, and `detail` tells why.

    `at_most`: the goal is an upper bound. `detail`: the two sides, as measured.
    """

    name: str
    against: str
    ratio: float
    goal: float
    detail: str
    at_most: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def __str__(self) -> str:
        bound = "at most" if self.at_most else "at least"
        verdict = "none" if math.isnan(self.ratio) else "met" if self.met else "SHORT"
        ratio = f"{verdict:5}  {self.ratio:7.2f}{self.unit}  ({bound} {self.goal:g}{self.unit})"
        return f"{ratio}  {self.name} / {self.against}: {self.detail}"


def write(figures: Sequence[Figure]) -> None:
    """Replace the table of figures in the page."""
    rows = [
        "| what | against | measured | goal | met | the two sides |",
        "|---|---|---|---|---|---|",
        *(_row(figure) for figure in figures),
    ]
    when = time.strftime("%Y-%m-%d")
    machine = f"Measured on {when}, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
    machine += f"{os.cpu_count()} cores.\n\n"
    text = PAGE.read_text()
    table = f"{BEGIN}\n{machine}" + "\n".join(rows) + f"\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL))


def _row(figure: Figure) -> str:
    goal = f"{'at most' if figure.at_most else 'at least'} {figure.goal:g}{figure.unit}"
    met = "yes" if figure.met else "**no**"
    ratio = f"{figure.ratio:.2f}{figure.unit}"
    if math.isnan(figure.ratio):
        met, ratio = "not measured", ""
    return f"| {figure.name} | {figure.against} | {ratio} | {goal} | {met} | {figure.detail} |"
