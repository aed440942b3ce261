"""What each role may do in Redis, in the words of its access lists: one writes, one reads, nobody flushes."""

from typing import Final

_SESSION: Final = "+ping +hello +auth +client|setinfo +client|setname +select"
RULES: Final = {
    "read-model": f"resetchannels ~hub:* ~live -@all {_SESSION} +eval +hget +hgetall +hset +hdel +hincrby +xadd",
    "console": f"resetchannels %R~hub:* %R~live -@all {_SESSION} +multi +exec +hgetall +xread +xrange +xrevrange",
}
"""Rules by role. The script of the read model runs under its caller's rules, so its commands are named too."""
