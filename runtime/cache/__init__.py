"""Memoization: answers of tools that the configuration marks as cacheable, kept by an actor."""

from runtime.cache.cache import Cache, CacheStatistics, Count, Forget, Lookup, Store
from runtime.cache.key import cache_key, time_to_live

__all__ = ["Cache", "CacheStatistics", "Count", "Forget", "Lookup", "Store", "cache_key", "time_to_live"]
