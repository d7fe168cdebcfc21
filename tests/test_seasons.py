"""Coats here while shorts there: a shop in two hemispheres, whose seasons are known by
construction.
"""

from dataclasses import dataclass
from io import StringIO

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.daily_sales import Popularity
from models.recommender import Recommender
from models.rules.filters import Filters, Repeat
from models.settings import FactorSettings, ModelSettings
from models.slate import Slate, SlateRequest
from training.fitting.fit import fit
from training.progress import Reporter
from training.publishing import build_manifest
from training.reading.purchases import read_purchases
from training.synthetic.shop import SyntheticShop
from training.synthetic.write import write_shop

SIZE = {"customers": 1000, "products": 240, "seed": 3, "hemispheres": True}
LINES = 100_000
END_OF_2026 = 1_798_761_600
SETTINGS = ModelSettings(factors=FactorSettings(factors=16, regularization=5.0, iterations=8))

NEW_YEAR, JULY = "2026-01-01", "2025-07-02"  # near the middle of a season
APRIL, OCTOBER = "2025-04-16", "2025-10-15"  # one season ends and the other begins
IN_SEASON = {("north", NEW_YEAR): "winter", ("south", NEW_YEAR): "summer"}
IN_SEASON |= {("north", JULY): "summer", ("south", JULY): "winter"}
COMING = {("north", OCTOBER): "winter", ("south", OCTOBER): "summer"}
COMING |= {("north", APRIL): "summer", ("south", APRIL): "winter"}


def other(season: str) -> str:
    return "summer" if season == "winter" else "winter"


def at(date: str) -> int:
    return int(np.datetime64(date, "s").astype(np.int64))


@dataclass(frozen=True)
class TwoHemispheres:
    recommender: Recommender
    of: dict[str, NDArray[np.bool_]]  # the products of a season

    def count(self, slate: Slate, season: str) -> int:
        return sum(bool(self.of[season][slot.item]) for slot in slate.slots)

    def popularity(self, market: str | None, date: str) -> Popularity:
        model, settings = self.recommender.model, self.recommender.settings.popular
        place = None if market is None else model.customers.market_names.find(market)
        return model.sales.popularity(at(date), len(model.catalogue), settings, place)

    def sold(self, lines: NDArray[np.float32], season: str) -> float:
        return float(lines[self.of[season]].sum())

    def winter_share(self, market: str, date: str) -> float:
        """Of the products of a season in everyone's slates of what they never bought, the part that
        is winter's.
        """
        model = self.recommender.model
        people = np.flatnonzero(
            model.customers.market == model.customers.market_names.find(market)
        )[:100]
        request = SlateRequest(as_of=at(date), repeat=Repeat.EXCLUDE)
        slates = [
            self.recommender.recommend(model.customers.ids[int(user)], request) for user in people
        ]
        winter, summer = (
            sum(self.count(slate, season) for slate in slates) for season in ("winter", "summer")
        )
        return winter / (winter + summer)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TwoHemispheres:
    folder = tmp_path_factory.mktemp("hemispheres")
    write_shop(folder, **SIZE, purchases=LINES)
    files = {name: folder / f"{name}.parquet" for name in ("products", "customers")}
    purchases = read_purchases([folder / "purchases.parquet"], **files, now=END_OF_2026)
    model = fit(purchases, SETTINGS, Reporter(StringIO()), name="two hemispheres")
    truth = SyntheticShop.of(**SIZE)
    peak = truth.peak_day[truth.category]
    return TwoHemispheres(
        Recommender(build_manifest(purchases, model, SETTINGS, {}, 0), model, SETTINGS),
        {"winter": (peak > 0) & (peak < 90), "summer": peak > 90},
    )


@pytest.mark.parametrize(("market", "date"), IN_SEASON)
def test_popular_products_are_those_of_the_season_where_the_customer_lives(
    shop: TwoHemispheres, market: str, date: str
) -> None:
    season = IN_SEASON[market, date]
    slate = shop.recommender.popular(
        SlateRequest(n=20, as_of=at(date), filters=Filters(market=market))
    )
    assert shop.count(slate, season) >= 4
    assert shop.count(slate, other(season)) == 0


@pytest.mark.parametrize(("market", "date"), IN_SEASON)
def test_what_is_in_season_sells_more_than_in_the_year(
    shop: TwoHemispheres, market: str, date: str
) -> None:
    season, popularity = IN_SEASON[market, date], shop.popularity(market, date)
    for lines in (popularity.recent, popularity.season):
        assert shop.sold(lines, season) > 1.4 * shop.sold(popularity.year, season)
        assert shop.sold(lines, other(season)) < 0.7 * shop.sold(popularity.year, other(season))


@pytest.mark.parametrize(("market", "date"), COMING)
def test_before_a_season_begins_last_year_tells_what_comes(
    shop: TwoHemispheres, market: str, date: str
) -> None:
    coming, popularity = COMING[market, date], shop.popularity(market, date)
    assert shop.sold(popularity.recent, coming) < shop.sold(popularity.recent, other(coming))
    assert shop.sold(popularity.season, coming) > shop.sold(popularity.season, other(coming))
    lifted = np.argsort(-(popularity.season + 1) / (popularity.year + 1), kind="stable")[:30]
    assert shop.of[coming][lifted].sum() > 1.5 * shop.of[other(coming)][lifted].sum()


@pytest.mark.parametrize(("market", "date"), COMING)
def test_what_comes_into_season_rises_and_what_goes_out_falls(
    shop: TwoHemispheres, market: str, date: str
) -> None:
    coming, popularity = COMING[market, date], shop.popularity(market, date)
    assert shop.sold(popularity.recent, coming) > 1.3 * shop.sold(popularity.earlier, coming)
    assert shop.sold(popularity.recent, other(coming)) < 0.8 * shop.sold(
        popularity.earlier, other(coming)
    )


def test_new_products_for_a_customer_are_more_of_winter_where_it_is_winter(
    shop: TwoHemispheres,
) -> None:
    assert shop.winter_share("north", NEW_YEAR) > shop.winter_share("south", NEW_YEAR) + 0.1
    assert shop.winter_share("north", JULY) < shop.winter_share("south", JULY) - 0.1
