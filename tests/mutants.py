"""The pool with a fault in it, one at a time: each must be caught by some schedule."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from unittest import mock

from django_db_geventpool import pool, slots

#: What is wrong: what stands in pool.py or slots.py, what stands there instead.
MUTANTS = {
    "a kill of a waiter is not caught": (
        "        except BaseException:\n            with self._lock:\n",
        "        except Exception:\n            with self._lock:\n",
    ),
    "a killed waiter stays in the queue": (
        "                self._waiting.pop(checkout, None)\n                checkout.waiter",
        "                checkout.waiter",
    ),
    "a waiter that was served when it was killed keeps its slot": (
        "            if session is not None:  # served",
        "            if False:  # served",
    ),
    "a kill of a connect is not caught": (
        "except BaseException as problem",
        "except Exception as problem",
    ),
    "a kill of the end of a session is not caught": (
        "except BaseException:  # killed, which does not end",
        "except Exception:  # killed, which does not end",
    ),
    "a kill of a return is not caught": (
        "        finally:  # also when killed while rolling back\n",
        "        except Exception:\n            pass\n        else:\n",
    ),
    "a kill of a renewal is not caught": (
        "(session, reset)\n        finally:\n            self._give_on",
        "(session, reset)\n        except Exception:\n            pass\n        else:\n"
        "            self._give_on",
    ),
    "a connection is counted after its connect": (
        "        self._opening += 1\n        delay",
        "        delay",
    ),
    "MAX_CONNS is not looked at": ("is_full = self._used() >=", "is_full = 0 >"),
    "a waiter is served but not woken up": (
        "            return checkout.waiter.wake\n",
        "            return lambda: None\n",
    ),
    "a slot that is empty again wakes nobody up": (
        "            todo = self._plan()\n            todo += self._replace",
        "            todo = []\n            todo += self._replace",
    ),
    "a failed connect wakes nobody else up": (
        "            todo += self._plan()\n        do(todo)\n        if error",
        "        do(todo)\n        if error",
    ),
    "a slot is empty before its session has ended": (
        "            session.end()\n",
        "            session.connection.close()\n",
    ),
    "a dead connection is lent": (
        "            if session.is_alive():\n                break",
        "            break",
    ),
    "a returned connection is not looked at": (
        "            clean = session.is_clean() or self._reset(session, session.reset)",
        "            clean = True",
    ),
    "a connection of another kind is lent": (
        "            if checkout.opener is opener:\n                del",
        "            if True:\n                del",
    ),
    "another kind's idle connection is not closed for a waiter": (
        "            todo.append(self._retire(self._idle.pop(0), Why.NEEDED))\n",
        "            break\n",
    ),
    "the end of a borrower's greenlet goes unnoticed": (
        "        if borrower is None or borrower.owner_ended():",
        "        if False:",
    ),
    "a closed pool keeps what is returned to it": (
        "if session.generation != self._generation:",
        "if False:",
    ),
    "a connection that is too old is kept on its return": (
        "if session.expires_at <= now:",
        "if False:",
    ),
    "idle connections are tidied once only": (
        "            todo += [self._rest(session) for session in self._idle]",
        "",
    ),
    "all ask at once whether the server is back": (
        "(self._backoff.failures and self._opening)",
        "False",
    ),
}


def mutant(name: str) -> ModuleType:
    """The pool's module with this fault, in itself or in the accounting that it builds on."""
    old, new = MUTANTS[name]
    sources = {module.__name__: inspect.getsource(module) for module in (slots, pool)}
    count = sum(source.count(old) for source in sources.values())
    assert count == 1, f"the pool has changed: {old!r} stands there {count} times"
    faulty = {}
    with mock.patch.dict(sys.modules):
        for place, source in sources.items():
            faulty[place] = sys.modules[place] = module = ModuleType(place)
            module.__package__ = "django_db_geventpool"
            exec(compile(source.replace(old, new), f"<{name}>", "exec"), module.__dict__)
    return faulty[pool.__name__]
