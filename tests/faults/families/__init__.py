"""Kinds of material, one file each: `make(rng, home, controls)` damages a copy in the present folder."""
