"""Demo data: real container ports under a region tree of the world, and synthetic prices between them.

Codes and names of the ports are those of UN/LOCODE (UNECE, https://unece.org/trade/uncefact/unlocode). The prices are
made up by `generate.py` and labelled so wherever they show.
"""
