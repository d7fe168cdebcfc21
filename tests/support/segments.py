"""Segments of customers, as if `regulars insights` had computed them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.data.customer_figures import ROW, CustomerFigures
from models.data.segments import SEGMENTS, Segment

OTHERS = [name for name in ROW.names or () if name not in ("digest", "segment")]


def figures_of(segments: Mapping[str, Segment]) -> CustomerFigures:
    columns = {name: np.ones(len(segments)) for name in OTHERS}
    codes = np.array([SEGMENTS.index(segment) for segment in segments.values()])
    return CustomerFigures.of(segments, {**columns, "segment": codes})


def write_segments(root: Path, **segments: Segment) -> None:
    """Put customers into segments, in the registry at `root`."""
    figures_of(segments).write(root)
