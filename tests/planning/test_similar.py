"""How alike two queries are, told from their words."""

import time

import pytest

from portia_nb.planning.similar import most_similar, similarity

STOCKS = "Which stock price grew faster, Amazon or Google?"


@pytest.mark.parametrize(
    ("other", "least", "most"),
    [
        (STOCKS, 1, 1),
        ("which STOCK price grew faster: google or amazon", 1, 1),
        ("Which stock price grew faster in 2024, Apple or Meta?", 0.5, 0.9),
        ("Which stocks' prices grew fastest, Amazon or Google?", 0.5, 0.9),
        ("What is the weather in Oslo?", 0, 0.35),
        ("Write a poem about autumn", 0, 0.35),
        ("", 0, 0),
        ("?!", 0, 0),
    ],
)
def test_queries_are_alike_as_their_words_are(other: str, least: float, most: float):
    for score in (similarity(STOCKS, other), similarity(other, STOCKS)):
        assert least <= round(score, 6) <= most


def test_a_score_below_the_least_that_matters_counts_as_none():
    far = "What is the weather in Oslo?"
    assert 0 < similarity(STOCKS, far) < 0.9
    assert similarity(STOCKS, far, at_least=0.9) == 0
    assert similarity(STOCKS, STOCKS, at_least=0.9) == 1


def test_the_likest_come_first_and_of_equals_the_earlier():
    candidates = [("stocks of Amazon", 1), (STOCKS, 2), ("the weather", 3), (STOCKS.upper(), 4)]
    assert most_similar(STOCKS, candidates, threshold=0.9, limit=5) == [2, 4]
    assert most_similar(STOCKS, candidates, threshold=0.0, limit=3) == [2, 4, 1]
    assert most_similar(STOCKS, candidates, threshold=0.0, limit=0) == []
    assert most_similar("", candidates, threshold=0.0, limit=5) == []


def test_a_long_query_costs_no_more_than_its_beginning():
    long = " ".join(f"word{number}" for number in range(20_000))
    began = time.process_time()
    similarity(long, long[::-1])
    similarity(long, long.replace("word1", "ward1"))
    assert time.process_time() - began < 1
