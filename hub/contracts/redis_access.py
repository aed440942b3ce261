"""What each role may do in Redis, in the words of its access lists: one writes, one reads, nobody flushes."""

from typing import Final

_WRITES: Final = "+eval +hget +hgetall +hkeys +hset +hdel +hincrby +xadd +lpush +ltrim"
_READS: Final = "+multi +exec +hgetall +lrange +xread +xrange +xrevrange"
_SESSION: Final = "+ping +hello +auth +client|setinfo +client|setname +select"
RULES: Final = {
    "read-model": f"resetchannels ~hub:* ~live -@all {_SESSION} {_WRITES}",
    "console": f"resetchannels %R~hub:* %R~live -@all {_SESSION} {_READS}",
}
"""Rules by role. The script of the read model runs under its caller's rules, so its commands are named too."""
