"""The generator, on tiny random models of the real classes."""
