"""Larger pictures by networks of the ESRGAN family, tile by tile."""
