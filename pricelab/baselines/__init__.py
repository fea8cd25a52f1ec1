"""What a fine-tuned model has to beat, each in one line and tuned with equal care. Notebook 03 introduces them.

All share one interface. They learn from ``Item`` objects, or from texts with their prices, and answer with an array of
B prices in US dollars::

    model = TfidfRidge().fit(catalog["train"])          # or .fit(texts, prices)
    prices = model.predict(catalog["test"])             # or .predict(texts)

| class | what it does | tuned by cross-validation |
|---|---|---|
| `ConstantPrice()` | the median training price, for everything | nothing to tune |
| `CategoryMedian()` | the median training price of the category; needs items, texts have none | nothing to tune |
| `NearestNeighbour()` | the median price of the k most similar training texts | k |
| `TfidfRidge()` | ridge regression on words and letter groups | strength |
| `BoostedTrees()` | gradient-boosted trees on compressed words, and the category where known | loss, leaves, trees |
| `EmbeddingRidge(base)` | ridge regression on the hidden states of an untuned base | which states, strength |
| `ZeroShot(base)` | the untuned base asked in the workbook's words; ``fit`` learns nothing | nothing to tune |

``base`` is a ``Pricer`` such as ``need("base")``, a ``Base``, or a base's key; without one, the profile's. "Equal
care": seven or eight settings each, five folds of the training rows, the same for all, and the same error, the root
mean squared error of log price. The chosen setting is in ``.setting``, all errors in ``.cv_log_rmse``;
``tuning_report(models)`` shows them as a table. Judging is left to ``evaluation``.
"""

from pricelab.baselines.boosting import BoostedTrees
from pricelab.baselines.hidden import EmbeddingRidge, ZeroShot
from pricelab.baselines.neighbours import NearestNeighbour
from pricelab.baselines.ridge import TfidfRidge
from pricelab.baselines.simple import CategoryMedian, ConstantPrice
from pricelab.baselines.tuning import Baseline, tuning_report

__all__ = [
    "Baseline", "BoostedTrees", "CategoryMedian", "ConstantPrice", "EmbeddingRidge", "NearestNeighbour", "TfidfRidge",
    "ZeroShot", "tuning_report",
]  # fmt: skip
