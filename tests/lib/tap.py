"""Runs the tests of one file and says in TAP how they went.

    from tap import test, main

    @test('a sentence about behaviour')
    def _():
        ...

    main()

A test passes when its function returns, is skipped by raising Skip(reason),
and fails otherwise.  `file.py WORD` runs the tests whose sentence holds WORD.
"""

import os
import shutil
import sys
import tempfile
import time
import traceback

_tests = []
_cleanups = []


class Skip(Exception):
    pass


def test(sentence):
    def add(function):
        _tests.append((sentence, function))
        return function
    return add


def cleanup(function):
    """Has function(failed) called when the running test is over."""
    _cleanups.append(function)


def scratch(prefix):
    """A new directory, which goes with the running test unless that fails."""
    path = tempfile.mkdtemp(prefix=prefix)
    cleanup(lambda failed: failed or os.environ.get('CHAT_KEEP') or shutil.rmtree(path, ignore_errors=True))
    return path


def until(condition, timeout=10, what=None, every=0.01):
    """Waits for a true result of condition() and returns it."""
    end = time.monotonic() + timeout
    while True:
        # asked once more after the end: the machine may have stood still until then
        late = time.monotonic() > end
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError('waited %g s for %s' % (timeout, what or 'a condition'))
        time.sleep(every)


def equal(got, want, what=''):
    if got != want:
        raise AssertionError('%s%s: got %r, want %r' % (what, '' if what else 'values differ', got, want))


def _run(function):
    failure = None
    try:
        function()
    except Skip:
        raise
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        failure = traceback.format_exc()
    finally:
        while _cleanups:
            try:
                _cleanups.pop()(failure is not None)
            except Exception:
                failure = (failure or '') + traceback.format_exc()
    return failure


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ''
    chosen = [t for t in _tests if word in t[0]]
    failures = 0
    for number, (sentence, function) in enumerate(chosen, 1):
        start = time.monotonic()
        try:
            failure = _run(function)
        except Skip as s:
            print('ok %d - %s # SKIP %s' % (number, sentence, s), flush=True)
            continue
        if failure:
            failures += 1
            print('not ok %d - %s' % (number, sentence))
            for line in failure.splitlines():
                print('# ' + line)
        else:
            print('ok %d - %s (%.1f s)' % (number, sentence, time.monotonic() - start))
        sys.stdout.flush()
    print('1..%d' % len(chosen), flush=True)
    sys.exit(1 if failures or not chosen else 0)
