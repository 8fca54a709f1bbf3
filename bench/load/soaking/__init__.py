"""The parts of `bench.load.soak`."""
