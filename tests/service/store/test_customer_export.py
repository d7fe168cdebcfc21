"""What the store holds of a customer is told in words; the whole export is tested over HTTP."""

from models.data.customers import NO, PERSONALIZE_EMAIL, TRAIN, YES
from service.store.customer_export import describe_consents


def test_consent_is_told_by_purpose() -> None:
    assert describe_consents({TRAIN: (YES, 0), PERSONALIZE_EMAIL: (NO, 86_400)}) == {
        "train": {"given": True, "time": "1970-01-01T00:00:00Z"},
        "personalize_web": {"given": None, "time": None},
        "personalize_email": {"given": False, "time": "1970-01-02T00:00:00Z"},
        "measure": {"given": None, "time": None},
    }
