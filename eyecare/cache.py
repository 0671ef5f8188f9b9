"""A cache in Redis that the portal can live without: while it cannot be reached, nothing is remembered."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import ConnectionError, TimeoutError

logger = logging.getLogger(__name__)


def _unless_lost(answer: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give this answer where Redis gives none."""

    def spared(ask: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(ask)
        def asked(*arguments: Any, **named: Any) -> Any:
            try:
                return ask(*arguments, **named)
            except (ConnectionError, TimeoutError):
                logger.warning("the cache cannot be reached")
                return answer

        return asked

    return spared


class _Client(RedisCacheClient):
    add = _unless_lost(True)(RedisCacheClient.add)
    set = _unless_lost(None)(RedisCacheClient.set)
    touch = _unless_lost(False)(RedisCacheClient.touch)
    delete = _unless_lost(False)(RedisCacheClient.delete)
    incr = _unless_lost(0)(RedisCacheClient.incr)
    has_key = _unless_lost(False)(RedisCacheClient.has_key)
    get_many = _unless_lost({})(RedisCacheClient.get_many)
    set_many = _unless_lost(None)(RedisCacheClient.set_many)
    delete_many = _unless_lost(None)(RedisCacheClient.delete_many)

    def get(self, key: Any, default: Any) -> Any:
        return _unless_lost(default)(super().get)(key, default)


class SpareRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
