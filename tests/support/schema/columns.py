"""Selections of daily averages."""

FIELDS = ["day", "averagePrice", "priceCount", "lowPrice", "highPrice", "medianPrice", "__typename"]
