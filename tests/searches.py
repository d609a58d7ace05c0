"""Searches made up for tests: rows of AmazonQAC from a few real words with counts."""

from datetime import datetime

from pyfastlm.qac import Row, generate

TERMS = {
    "red shoes": 90.0,
    "red shoes for women": 40.0,
    "red dress": 70.0,
    "running shoes": 60.0,
    "running watch": 20.0,
    "phone case": 80.0,
    "phone charger": 75.0,
    "phone holder": 10.0,
    "photo album": 8.0,
    "rechargeable lamp": 5.0,
    "café lamp": 4.0,
    "日傘": 3.0,
}
TRAIN_ROW = Row(
    "0", "s", (), ("r", "re", "red", "red "), datetime(2023, 9, 1), "red shoes", datetime(2023, 9, 1), 3
)


def sample_rows(sessions: int, *, seed: int) -> list[Row]:
    return generate(TERMS.items(), sessions, seed=seed)
