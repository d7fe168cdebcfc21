"""Fit item factors by alternating least squares, and find inner products of items.

The one file that imports `implicit`.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.settings import FactorSettings
from models.sources.als import ItemFactors
from training.progress import Advance, ignore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import all_pairs_knn


def fit_item_factors(
    confidence: csr_matrix,
    items: NDArray[np.int32],
    settings: FactorSettings,
    *,
    seed: int,
    on_progress: Advance = ignore,
) -> ItemFactors:
    """Fit factors of the `items` to confidences c_ui ≥ 1, (users, all items) float32.

    The same seed gives the same factors on any number of threads.
    """

    def on_iteration(iteration: int, _seconds: float, _loss: float | None) -> None:
        on_progress(iteration + 1, settings.iterations)

    # implicit runs its own threads; a BLAS that adds threads to each slows it down.
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            iterations=settings.iterations,
            alpha=1.0,  # implicit takes alpha · r for the confidence; ours is computed already
            random_state=seed,
        )
        model.fit(csr_matrix(confidence[:, items]), show_progress=False, callback=on_iteration)
        factors = np.ascontiguousarray(model.item_factors.T, np.float32)
        gram = factors @ factors.T + settings.regularization * np.eye(
            settings.factors, dtype=np.float32
        )
    row = np.full(confidence.shape[1], -1, np.int32)
    row[items] = np.arange(len(items), dtype=np.int32)
    return ItemFactors(factors, gram.astype(np.float32), items.astype(np.int32), row)


def find_nearest(user_items: csr_matrix, k: int) -> csr_matrix:
    """Return the k largest inner products of every item's column with all columns: (items, items).

    Which of several equal ones come last is up to implicit; the same matrix gives the same ones.
    """
    return all_pairs_knn(user_items, k, show_progress=False).tocsr()
