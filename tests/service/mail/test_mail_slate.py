"""What is learned of a customer after a mail was made."""

from service.mail.mail_slate import find_handled_since
from tests.support.fitted_shop import fit_shop
from tests.support.shop import MONTHLY, REGULAR, Line, ShopRecords, moment

BOUGHT = [Line(REGULAR, MONTHLY, 10), Line(REGULAR, MONTHLY, 40), Line("other", "bread", 30)]


def test_what_was_bought_up_to_the_moment_of_a_mail_was_known_to_it() -> None:
    shop = fit_shop(ShopRecords(BOUGHT))
    assert find_handled_since(shop, REGULAR, moment(40)) == []
    assert find_handled_since(shop, REGULAR, moment(40) - 1) == [MONTHLY]
    assert find_handled_since(shop, "nobody we know", 0) == []
