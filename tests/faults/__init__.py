"""Kills, faults of the environment, load, mutated inputs and faulty pushes: tried in numbers, counted in a page."""
