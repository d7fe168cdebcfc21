import hashlib
import hmac
import json
import shutil
import subprocess

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from models.experiments.assignment import BUCKETS, bucket_of, derive_key, part_of

SECRET = b"of the shop"
# A client's own words for the function in docs/experiments.md
JAVASCRIPT = """
const {createHmac} = require("crypto");
const [key, ids] = JSON.parse(require("fs").readFileSync(0));
const bucket = id => {
  const hex = createHmac("sha256", Buffer.from(key, "hex")).update(id, "utf8").digest("hex");
  return Math.floor(parseInt(hex.slice(0, 8), 16) * 10000 / 2 ** 32);
};
console.log(JSON.stringify(ids.map(bucket)));
"""


def buckets(use: str, customers: int) -> np.ndarray:
    key = derive_key(SECRET, use)
    return np.array([bucket_of(key, str(number)) for number in range(customers)])


def test_a_bucket_is_the_first_digits_of_a_keyed_hash_of_the_id() -> None:
    key = hmac.new(SECRET, b"layer main", hashlib.sha256).digest()
    digits = hmac.new(key, "Zoë/7".encode(), hashlib.sha256).hexdigest()[:8]
    assert derive_key(SECRET, "layer main") == key
    assert bucket_of(key, "Zoë/7") == int(digits, 16) * 10_000 // 2**32


def test_every_id_has_a_bucket_and_every_bucket_a_part() -> None:
    key = derive_key(SECRET, "holdout")
    assert all(0 <= bucket_of(key, name) < BUCKETS for name in ("", "a\ud800", "x" * 256, "0"))
    shares = [1, 4_999, 0, 5_000]
    assert [part_of(bucket, shares) for bucket in (0, 1, 4_999, 5_000, 9_999)] == [0, 1, 1, 3, 3]


@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js")
def test_a_browser_finds_the_same_bucket() -> None:
    key, ids = derive_key(SECRET, "variants b"), ["2034", "Zoë/7", "客户", "😀"]
    run = subprocess.run(
        ["node", "-e", JAVASCRIPT],
        input=json.dumps([key.hex(), ids]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(run.stdout) == [bucket_of(key, name) for name in ids]


def test_shares_are_within_chance() -> None:
    shares = [200, 4_800, 5_000]
    parts = np.array([part_of(bucket, shares) for bucket in buckets("variants a", 50_000)])
    counted = np.bincount(parts)
    expected = np.array(shares) / BUCKETS * 50_000
    assert chi2.sf(((counted - expected) ** 2 / expected).sum(), 2) > 0.001


def test_the_variant_in_one_experiment_says_nothing_of_the_variant_in_another() -> None:
    first = buckets("variants a", 20_000) // 5_000
    for use in ("variants b", "layer a", "holdout"):
        other = buckets(use, 20_000) // 5_000
        table = np.histogram2d(first, other, bins=2)[0]
        assert chi2_contingency(table).pvalue > 0.001


def test_who_was_held_out_stays_so_while_the_share_grows() -> None:
    found = buckets("holdout", 20_000)
    assert set(np.flatnonzero(found < 200)) <= set(np.flatnonzero(found < 500))
