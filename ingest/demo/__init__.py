"""Demo data: real container ports in a region tree of the world, and synthetic prices.

Codes and names of the ports are those of UN/LOCODE (UNECE, https://unece.org/trade/uncefact/unlocode). `generate.py` creates
the prices, which are labelled as synthetic wherever they appear.
"""
