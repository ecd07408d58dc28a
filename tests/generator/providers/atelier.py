"""A fake vendor, in the shape of a real one's file."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from agents.generator.providers.provider import Access
from tests.generator.providers.flat_vendor import FlatVendor, connected

NEEDS_KEY = False

MODELS: Mapping[str, Mapping[str, object]] = {
    "atelier_one": {
        "vendor_model": "atelier-1",
        "sizes": [[128, 128], [192, 128]],
        "price_micros": 40_000,
        "aliases": ["atelier One"],
    }
}


def connect(access: Access) -> AbstractAsyncContextManager[FlatVendor]:
    """See `ProviderModule.connect`."""
    return connected("atelier", bytes.fromhex("ff0000"), access)
